//
// Console.swift: writes to standard output and standard error.
//
// Straight to the descriptor: C's `stdout` is a global that Swift 6 cannot share, and a pipe that is closed early
// (`moves | head`) has to end the program quietly instead of with a signal's message.
//

import Glibc

/// One of the two streams.
struct Console: Sendable {
    static let output = Console(descriptor: STDOUT_FILENO)
    static let error = Console(descriptor: STDERR_FILENO)

    let descriptor: Int32

    /// Whether a person looks at it: colour, progress and alignment are for them.
    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Colour is wanted: a terminal, and not refused by the convention of NO_COLOR.
    var hasColour: Bool { isTerminal && getenv("NO_COLOR").map { $0.pointee == 0 } ?? true && !isDumb }

    private var isDumb: Bool { getenv("TERM").map { String(cString: $0) == "dumb" } ?? true }

    func write(_ text: String) { write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) {
        // Nobody reads any more; there is nobody to tell either.
        do { try send(bytes) } catch { exit(ExitStatus.done.rawValue) }
    }

    /// As ``write(_:)``, for those who have something to put away before the program ends.
    func send(_ text: String) throws(ClosedPipe) { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws(ClosedPipe) {
        var start = 0
        while start < bytes.count {
            let written = bytes[start...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 {
                if errno == EINTR { continue }
                guard errno == EPIPE else { exit(ExitStatus.unreachable.rawValue) }
                throw ClosedPipe()
            }
            start += written
        }
    }
}

/// Whoever read the output has had enough.
struct ClosedPipe: Error {}
