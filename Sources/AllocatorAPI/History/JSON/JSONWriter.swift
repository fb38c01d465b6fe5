//
// JSONWriter.swift: JSON, written from front to back into one buffer.
//

import AllocationCore
import NIOCore
import PostgresDriver

/// Appends values; separators come by themselves.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    /// Nothing has been written yet at this depth.
    private var isFirst = true

    var buffer: ByteBuffer { ByteBuffer(bytes: bytes) }

    // MARK: Structure

    mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
        separate()
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
        try body(&self)
        bytes.append(UInt8(ascii: "}"))
        isFirst = false
    }

    mutating func list<Element>(
        _ elements: some Sequence<Element>, _ body: (Element, inout JSONWriter) throws -> Void
    ) rethrows {
        separate()
        bytes.append(UInt8(ascii: "["))
        isFirst = true
        for element in elements { try body(element, &self) }
        bytes.append(UInt8(ascii: "]"))
        isFirst = false
    }

    /// The name of the member whose value is written next.
    mutating func name(_ name: String) {
        separate()
        JSONText.appendQuoted(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        isFirst = true
    }

    mutating func newline() { bytes.append(UInt8(ascii: "\n")) }

    // MARK: Values

    mutating func text(_ value: String) {
        separate()
        JSONText.appendQuoted(value, to: &bytes)
    }

    mutating func integer(_ value: some BinaryInteger) {
        separate()
        bytes += "\(value)".utf8
    }

    /// - Parameter value: Finite.
    mutating func number(_ value: Double) {
        separate()
        bytes += (value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)").utf8
    }

    mutating func boolean(_ value: Bool) {
        separate()
        bytes += (value ? "true" : "false").utf8
    }

    mutating func null() {
        separate()
        bytes += "null".utf8
    }

    mutating func time(_ value: Timestamp) { text("\(value)") }

    private mutating func separate() {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
    }
}
