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

    func write(_ text: String) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }

    func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { write($0) } }

    private func write(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = Glibc.write(descriptor, rest.base.baseAddress?.advanced(by: rest.startIndex), rest.count)
            if written < 0 {
                if errno == EINTR { continue }
                // Nobody reads any more; there is nobody to tell either.
                exit(errno == EPIPE ? ExitStatus.done.rawValue : ExitStatus.unreachable.rawValue)
            }
            rest = rest.dropFirst(written)
        }
    }
}
