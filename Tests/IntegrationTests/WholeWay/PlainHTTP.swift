//
// PlainHTTP.swift: a GET over a POSIX socket, so that what the product serves is read by nothing of the product.
//

import Foundation
import Glibc

/// One answer, as it came.
struct PlainAnswer: Sendable, Equatable {
    var status: Int
    /// Lower-case names.
    var headers: [String: String]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    var revision: Int? { headers["target-ledger-revision"].flatMap { Int($0) } }
}

/// Reads one URL path from a loopback port. Blocking; call it from a thread of its own or for short answers.
enum PlainHTTP {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func get(port: UInt16, _ path: String, headers: [String: String] = [:]) throws -> PlainAnswer {
        let socket = try open(port, path, headers)
        defer { close(socket) }
        return try parse(try readAll(socket))
    }

    /// Sends a form as a browser does.
    static func post(port: UInt16, _ path: String, form: String) throws -> PlainAnswer {
        let socket = try open(port, path, ["Content-Type": "application/x-www-form-urlencoded"], form: form)
        defer { close(socket) }
        return try parse(try readAll(socket))
    }

    /// Reads an answer that does not end, until `isEnough` says so of all that has come; nil when it never did.
    static func read(
        port: UInt16, _ path: String, headers: [String: String], until isEnough: (String) -> Bool
    ) throws -> String? {
        let socket = try open(port, path, headers)
        defer { close(socket) }
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(socket, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            all += chunk[..<count]
            let text = String(decoding: all, as: UTF8.self)
            if isEnough(text) { return text }
        }
    }

    /// A socket on which the request has been sent.
    private static func open(
        _ port: UInt16, _ path: String, _ headers: [String: String], form: String? = nil
    ) throws -> Int32 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw Failure(description: "socket: errno \(errno)") }
        var isSent = false
        defer { if !isSent { close(socket) } }
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Failure(description: "connect to \(port): errno \(errno)") }
        var request = "\(form == nil ? "GET" : "POST") \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        for (name, value) in headers { request += "\(name): \(value)\r\n" }
        if let form { request += "Content-Length: \(form.utf8.count)\r\n" }
        request += "\r\n" + (form ?? "")
        let bytes = Array(request.utf8)
        guard send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw Failure(description: "send: errno \(errno)")
        }
        isSent = true
        return socket
    }

    private static func readAll(_ socket: Int32) throws -> [UInt8] {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(socket, &chunk, chunk.count, 0)
            if count == 0 { return all }
            guard count > 0 else { throw Failure(description: "recv: errno \(errno)") }
            all += chunk[..<count]
        }
    }

    private static func parse(_ bytes: [UInt8]) throws -> PlainAnswer {
        let end = Array("\r\n\r\n".utf8)
        guard bytes.count >= end.count,
            let split = (0...(bytes.count - end.count)).first(where: {
                bytes[$0] == 13 && bytes[$0...].starts(with: end)
            })
        else { throw Failure(description: "no head in an answer of \(bytes.count) bytes") }
        let lines = String(decoding: bytes[..<split], as: UTF8.self).components(separatedBy: "\r\n")
        guard let first = lines.first?.split(separator: " "), first.count >= 2, let status = Int(first[1]) else {
            throw Failure(description: "bad status line: \(lines.first ?? "")")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        var body = Array(bytes[(split + end.count)...])
        if headers["transfer-encoding"] == "chunked" { body = try unchunked(body) }
        if let length = headers["content-length"].flatMap({ Int($0) }), length != body.count {
            throw Failure(description: "body of \(body.count) bytes, announced \(length)")
        }
        return PlainAnswer(status: status, headers: headers, body: body)
    }

    private static func unchunked(_ bytes: [UInt8]) throws -> [UInt8] {
        var output: [UInt8] = []
        var rest = bytes[...]
        while true {
            guard let lineEnd = rest.firstIndex(of: 13) else { throw Failure(description: "chunk without size") }
            let size = String(decoding: rest[rest.startIndex..<lineEnd], as: UTF8.self)
            guard let count = Int(size.prefix { $0 != ";" }, radix: 16) else {
                throw Failure(description: "chunk of size \(size)")
            }
            if count == 0 { return output }
            let start = lineEnd + 2
            guard start + count + 2 <= rest.endIndex else { throw Failure(description: "chunk cut off") }
            output += rest[start..<(start + count)]
            rest = rest[(start + count + 2)...]
        }
    }

    /// A port of the loopback interface that nobody listens on right now.
    static func freePort() throws -> UInt16 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(socket, pointer, length) == 0 ? getsockname(socket, pointer, &length) : -1
            }
        }
        guard result == 0 else { throw Failure(description: "no free port: errno \(errno)") }
        return UInt16(bigEndian: address.sin_port)
    }
}
