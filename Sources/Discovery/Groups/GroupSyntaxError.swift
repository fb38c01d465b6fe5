//
// GroupSyntaxError.swift: why a document of target groups cannot be taken.
//

/// A document that is no list of target groups. Nothing of it is taken.
package struct GroupSyntaxError: Error, Sendable, Equatable, CustomStringConvertible {
    package var message: String
    /// Where, counted from 1. Nil when the whole document is meant.
    package var line: Int?
    package var column: Int?

    package init(_ message: String, line: Int? = nil, column: Int? = nil) {
        self.message = message
        self.line = line
        self.column = column
    }

    package var description: String {
        guard let line else { return message }
        return column.map { "line \(line), column \($0): \(message)" } ?? "line \(line): \(message)"
    }
}

/// A fault at a byte, before it is known which line that is.
struct GroupSyntaxFault: Error {
    var message: String
    var offset: Int

    func located(in bytes: UnsafeRawBufferPointer) -> GroupSyntaxError {
        let before = bytes[..<min(offset, bytes.count)]
        let line = before.reduce(1) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
        let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return GroupSyntaxError(message, line: line, column: before.count - start + 1)
    }
}
