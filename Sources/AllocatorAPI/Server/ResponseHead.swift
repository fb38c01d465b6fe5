//
// ResponseHead.swift: puts an answer's status and fields on the wire, for the fast path as bytes, for the router as
// fields. Both walk the same list.
//

import HTTPTypes
import NIOCore

extension PreparedResponse {
    /// Room for every head without a location; the longest, of a page, has some 710 bytes.
    static let headBytesMax = 1024

    /// Writes the status line and all fields, the blank line included.
    ///
    /// - Parameters:
    ///   - date: RFC 9110's date of now.
    ///   - connection: `keep-alive` or `close` where that has to be said.
    func writeHead(to buffer: inout ByteBuffer, date: String, connection: StaticString?) {
        let bytesMax = Self.headBytesMax + (location?.utf8.count ?? 0)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: bytesMax) { bytes in
            var writer = HeadWriter(bytes)
            writer.write(statusLine)
            forEachField { name, value in
                writer.write(name)
                writer.write(": ")
                writer.write(value)
                writer.write("\r\n")
            }
            if let connection {
                writer.write("Connection: ")
                writer.write(connection)
                writer.write("\r\n")
            }
            writer.write("Date: ")
            writer.write(date)
            writer.write("\r\n\r\n")
            return writer.count
        }
    }

    var headerFields: HTTPFields {
        var fields = HTTPFields()
        forEachField { name, value in
            // The names are ours and are tokens.
            if let name = HTTPField.Name(name.description) { fields.append(HTTPField(name: name, value: value)) }
        }
        return fields
    }

    private var statusLine: StaticString {
        switch status {
        case 200: "HTTP/1.1 200 OK\r\n"
        case 301: "HTTP/1.1 301 Moved Permanently\r\n"
        case 304: "HTTP/1.1 304 Not Modified\r\n"
        case 307: "HTTP/1.1 307 Temporary Redirect\r\n"
        case 400: "HTTP/1.1 400 Bad Request\r\n"
        case 404: "HTTP/1.1 404 Not Found\r\n"
        case 503: "HTTP/1.1 503 Service Unavailable\r\n"
        default: preconditionFailure("the standard API does not answer \(status)")
        }
    }
}

/// Copies texts one behind the other. A head has two dozen of them, and a ByteBuffer looks after its room at each.
private struct HeadWriter {
    private let bytes: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

    mutating func write(_ text: StaticString) {
        write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }

    private mutating func write(_ text: UnsafeRawBufferPointer) {
        // Stops at the end of the room by a trap, never by a write behind it.
        UnsafeMutableRawBufferPointer(rebasing: bytes[count..<(count + text.count)]).copyMemory(from: text)
        count += text.count
    }
}
