//
// Turnstile.swift: who may use a connection next: one at a time, in order of arrival.
//
// A value that waits for nothing: the connection does the waiting and asks here whose turn it is.
//

struct Turnstile {
    private(set) var isTaken = false
    private var waiting: [PollExecutor.WaitID] = []

    /// True: taken. False: the caller stands in line under this name, until it is let in or leaves.
    mutating func enter(_ id: PollExecutor.WaitID) -> Bool {
        guard isTaken else {
            isTaken = true
            return true
        }
        waiting.append(id)
        return false
    }

    /// Ends a turn. The one returned has the next turn.
    mutating func leave() -> PollExecutor.WaitID? {
        precondition(isTaken, "a turn ended that none had")
        guard !waiting.isEmpty else {
            isTaken = false
            return nil
        }
        return waiting.removeFirst()
    }

    /// Steps out of line. False: this one has the turn already, and must end it.
    mutating func giveUp(_ id: PollExecutor.WaitID) -> Bool {
        guard let index = waiting.firstIndex(of: id) else { return false }
        waiting.remove(at: index)
        return true
    }
}
