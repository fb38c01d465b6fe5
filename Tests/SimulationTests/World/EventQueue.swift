//
// EventQueue.swift: what will happen, earliest first; of one instant in the order in which it was asked for.
//

/// A binary heap. Actions stay where they are; only their places move, which costs nothing where nothing is optimised.
struct EventQueue {
    private struct Entry {
        let time: SimulatedTime
        let number: Int
        let place: Int

        func precedes(_ other: Entry) -> Bool { time != other.time ? time < other.time : number < other.number }
    }

    private var heap: [Entry] = []
    private var actions: [(() -> Void)?] = []
    private var free: [Int] = []
    private var count = 0

    var nextTime: SimulatedTime? { heap.first?.time }

    mutating func push(_ time: SimulatedTime, _ action: @escaping () -> Void) {
        count += 1
        let place = free.popLast() ?? actions.count
        if place == actions.count { actions.append(action) } else { actions[place] = action }
        let entry = Entry(time: time, number: count, place: place)
        var child = heap.count
        heap.append(entry)
        heap.withUnsafeMutableBufferPointer { heap in
            while child > 0 {
                let parent = (child - 1) / 2
                guard entry.precedes(heap[parent]) else { break }
                heap[child] = heap[parent]
                child = parent
            }
            heap[child] = entry
        }
    }

    /// Must not be empty.
    mutating func pop() -> () -> Void {
        let first = heap[0].place
        let last = heap.removeLast()
        let count = heap.count
        heap.withUnsafeMutableBufferPointer { heap in
            guard count > 0 else { return }
            var parent = 0
            while true {
                var child = 2 * parent + 1
                guard child < count else { break }
                if child + 1 < count, heap[child + 1].precedes(heap[child]) { child += 1 }
                guard heap[child].precedes(last) else { break }
                heap[parent] = heap[child]
                parent = child
            }
            heap[parent] = last
        }
        guard let action = actions[first] else { preconditionFailure("an event without an action") }
        actions[first] = nil
        free.append(first)
        return action
    }
}
