//
// KeptConnection.swift: GETs over one connection that stays open, with a deadline for each.
//

import Glibc

/// A connection to one allocator. Confined to one thread.
struct KeptConnection: ~Copyable {
    enum Fault: Error {
        /// Nobody listens, or the connection ended.
        case gone
        /// No answer in time.
        case silent
        /// What came is no answer.
        case garbled(String)
    }

    private let port: UInt16
    private let timeoutMilliseconds: Int
    private var socket: Int32 = -1
    private var received: [UInt8] = []
    private var chunk = [UInt8](repeating: 0, count: 1 << 16)

    init(port: UInt16, timeoutMilliseconds: Int) {
        self.port = port
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    deinit { if socket >= 0 { close(socket) } }

    var isOpen: Bool { socket >= 0 }

    mutating func get(_ path: String) throws(Fault) -> PlainAnswer {
        do throws(Fault) {
            if socket < 0 { try open() }
            let request = Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
            guard send(socket, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { throw Fault.gone }
            return try read()
        } catch {
            drop()
            throw error
        }
    }

    mutating func drop() {
        if socket >= 0 { close(socket) }
        socket = -1
        received = []
    }

    private mutating func open() throws(Fault) {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var timeout = timeval(tv_sec: timeoutMilliseconds / 1000, tv_usec: timeoutMilliseconds % 1000 * 1000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, size)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, size)
        var address = ProxyLoop.loopback(port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw .gone }
    }

    // MARK: Reading

    private mutating func more() throws(Fault) {
        let count = recv(socket, &chunk, chunk.count, 0)
        if count == 0 { throw .gone }
        guard count > 0 else { throw errno == EAGAIN ? .silent : .gone }
        received += chunk[..<count]
    }

    private mutating func read() throws(Fault) -> PlainAnswer {
        while endOfHead == nil { try more() }
        guard let end = endOfHead else { throw .garbled("no head") }
        let lines = String(decoding: received[..<end], as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first?.split(separator: " "), first.count >= 2, let status = Int(first[1]) else {
            throw .garbled("bad status line \(lines.first ?? "")")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...]
            headers[line[..<colon].lowercased()] = String(value.drop { $0 == " " })
        }
        received.removeFirst(end + 4)
        let isChunked = headers["transfer-encoding"] == "chunked"
        let body = isChunked ? try chunkedBody() : try take(headers["content-length"].flatMap { Int($0) } ?? 0)
        if headers["connection"] == "close" { drop() }
        return PlainAnswer(status: status, headers: headers, body: body)
    }

    /// Where the empty line after the header fields begins.
    private var endOfHead: Int? {
        received.withUnsafeBufferPointer { bytes in
            guard bytes.count >= 4 else { return nil }
            return (0...bytes.count - 4).first {
                bytes[$0] == 13 && bytes[$0 + 1] == 10 && bytes[$0 + 2] == 13 && bytes[$0 + 3] == 10
            }
        }
    }

    private mutating func take(_ count: Int) throws(Fault) -> [UInt8] {
        while received.count < count { try more() }
        let body = Array(received[..<count])
        received.removeFirst(count)
        return body
    }

    private mutating func chunkedBody() throws(Fault) -> [UInt8] {
        var body: [UInt8] = []
        while true {
            while !received.contains(10) { try more() }
            let line = received.prefix { $0 != 13 }
            guard let count = Int(String(decoding: line, as: UTF8.self), radix: 16) else { throw .garbled("chunk") }
            received.removeFirst(line.count + 2)
            body += try take(count)
            _ = try take(2)
            if count == 0 { return body }
        }
    }
}
