//
// LogOutput.swift: gets log lines out without ever holding up whoever logs.
//
// A line goes straight to the descriptor while that takes it, so that the last words before a crash are not lost. When
// the reader of a pipe is slow, lines wait in a bounded buffer that a thread of its own drains; what does not fit is
// counted and the count is logged once there is room again.
//

import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where log lines go: a file descriptor and the lines that it has not taken yet.
package final class LogOutput: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var droppedLines = 0
        var isDraining = false
    }

    private let descriptor: Int32
    private let waitingBytesMax: Int
    private let droppedNotice: @Sendable (Int) -> [UInt8]
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "log output")

    /// - Parameters:
    ///   - descriptor: Stays open as long as the output lives; 2 is standard error.
    ///   - droppedNotice: The line that tells how many lines were dropped.
    package init(
        descriptor: Int32 = 2, waitingBytesMax: Int = 1 << 20,
        droppedNotice: @escaping @Sendable (Int) -> [UInt8] = { Array("\($0) log lines dropped\n".utf8) }
    ) {
        self.descriptor = descriptor
        self.waitingBytesMax = waitingBytesMax
        self.droppedNotice = droppedNotice
    }

    /// Takes one line, newline included. Never waits.
    package func write(_ line: [UInt8]) {
        let needsDrain = state.withLock { state in
            if state.waiting.isEmpty {
                let written = writeReady(line[...])
                if written == line.count { return false }
                state.waiting += line[written...]
            } else if state.waiting.count + line.count <= waitingBytesMax {
                state.waiting += line
            } else {
                state.droppedLines += 1
            }
            if state.isDraining { return false }
            state.isDraining = true
            return true
        }
        if needsDrain { queue.async { self.drain() } }
    }

    /// Lines that found no room since the last notice.
    package var droppedLines: Int { state.withLock { $0.droppedLines } }

    /// Returns when everything written before has left the process, or the descriptor refuses it.
    package func flush() { queue.sync {} }

    /// Runs on the queue until nothing waits.
    private func drain() {
        while true {
            waitUntilReady()
            let isDone = state.withLock { state in
                let written = writeReady(state.waiting[...])
                state.waiting.removeFirst(written)
                guard state.waiting.isEmpty else { return false }
                if state.droppedLines > 0 {
                    state.waiting = droppedNotice(state.droppedLines)
                    state.droppedLines = 0
                    return false
                }
                state.isDraining = false
                return true
            }
            if isDone { return }
        }
    }

    /// Writes as much as the descriptor takes without waiting; a descriptor that fails takes everything, since a log
    /// that nobody can read must not stop the process.
    private func writeReady(_ bytes: ArraySlice<UInt8>) -> Int {
        var written = 0
        while written < bytes.count, isReady(waitMilliseconds: 0) {
            // A pipe that is ready takes this much without blocking.
            let count = min(Int(PIPE_BUF), bytes.count - written)
            let result = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress.map { $0 + written }, count) }
            if result < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN ? written : bytes.count
            }
            written += result
        }
        return written
    }

    private func waitUntilReady() { _ = isReady(waitMilliseconds: -1) }

    private func isReady(waitMilliseconds: Int32) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while true {
            let result = poll(&request, 1, waitMilliseconds)
            if result < 0 && errno == EINTR { continue }
            return result != 0
        }
    }
}
