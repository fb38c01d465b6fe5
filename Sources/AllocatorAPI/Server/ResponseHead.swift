//
// ResponseHead.swift: puts an answer's status and fields on the wire, for the fast path as bytes, for the router as
// fields. Both walk the same list.
//

import HTTPTypes
import NIOCore

extension PreparedResponse {
    /// Writes the status line and all fields, the blank line included.
    ///
    /// - Parameters:
    ///   - date: RFC 9110's date of now.
    ///   - connection: `keep-alive` or `close` where that has to be said.
    func writeHead(to buffer: inout ByteBuffer, date: String, connection: StaticString?) {
        buffer.writeStaticString(statusLine)
        forEachField { name, value in
            buffer.writeStaticString(name)
            buffer.writeStaticString(": ")
            buffer.writeString(value)
            buffer.writeStaticString("\r\n")
        }
        if let connection {
            buffer.writeStaticString("Connection: ")
            buffer.writeStaticString(connection)
            buffer.writeStaticString("\r\n")
        }
        buffer.writeStaticString("Date: ")
        buffer.writeString(date)
        buffer.writeStaticString("\r\n\r\n")
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
