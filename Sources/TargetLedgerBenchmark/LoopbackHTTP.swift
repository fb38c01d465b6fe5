//
// LoopbackHTTP.swift: a GET over a POSIX socket to this machine.
//

import Foundation
import Glibc

/// Reads bodies from a loopback port; anything but 200 is an error.
enum LoopbackHTTP {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameter fields: Header lines, each with its CRLF.
    static func get(_ port: UInt16, _ path: String, fields: String = "") throws -> [UInt8] {
        let socket = try request(port, path, fields: fields)
        defer { close(socket) }
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = recv(socket, &chunk, chunk.count, 0)
            if count == 0 { break }
            guard count > 0 else { throw Failure(description: "recv: errno \(errno)") }
            all += chunk[..<count]
        }
        let head = String(decoding: all.prefix(12), as: UTF8.self)
        guard head.hasSuffix("200") else { throw Failure(description: "\(path): \(head)") }
        let end = Array("\r\n\r\n".utf8)
        guard let split = all.indices.first(where: { all[$0] == 13 && all[$0...].starts(with: end) }) else {
            throw Failure(description: "no head")
        }
        let body = Array(all[(split + 4)...])
        let fields = String(decoding: all[..<split], as: UTF8.self).lowercased().split(separator: "\r\n")
        let length = fields.first { $0.hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) }
        guard length == nil || length == body.count else {
            throw Failure(description: "\(path): \(body.count) of \(length ?? 0) bytes")
        }
        return body
    }

    /// Sends a request.
    ///
    /// - Returns: The socket, from which the answer is to be read; the caller closes it.
    static func request(_ port: UInt16, _ path: String, fields: String = "") throws -> Int32 {
        let socket = try connected(port)
        do {
            try write("GET \(path) HTTP/1.0\r\nHost: localhost\r\n\(fields)\r\n", to: socket)
        } catch {
            close(socket)
            throw error
        }
        return socket
    }

    /// - Returns: A socket that the caller closes.
    static func connected(_ port: UInt16) throws -> Int32 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            let failure = Failure(description: "connect: errno \(errno)")
            close(socket)
            throw failure
        }
        return socket
    }

    static func write(_ request: String, to socket: Int32) throws {
        let bytes = Array(request.utf8)
        guard send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw Failure(description: "send: errno \(errno)")
        }
    }

    static func freePort() throws -> UInt16 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(socket, pointer, length) == 0 ? getsockname(socket, pointer, &length) : -1
            }
        }
        guard result == 0 else { throw Failure(description: "no free port: errno \(errno)") }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
