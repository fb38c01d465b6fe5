//
// TestServer.swift: a few lines of an HTTP server, so that a test can misbehave exactly as it wants.
//

import Foundation
import Glibc
import Synchronization

/// Listens on loopback and answers each request with what a closure says, one thread a connection.
final class TestServer: Sendable {
    struct Request: Sendable {
        var line: String
        var fields: [String: String]

        var path: String { line.split(separator: " ").dropFirst().first.map(String.init) ?? "" }
    }

    /// Writes to the client; false: the client is gone.
    struct Connection: Sendable {
        let descriptor: Int32

        @discardableResult
        func send(_ text: String) -> Bool { send(Array(text.utf8)) }

        @discardableResult
        func send(_ bytes: [UInt8]) -> Bool {
            var rest = bytes[...]
            while !rest.isEmpty {
                let sent = rest.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard sent > 0 else { return false }
                rest = rest.dropFirst(sent)
            }
            return true
        }

        func answer(_ status: String, type: String = "application/json", fields: String = "", _ body: String) {
            send(
                "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\(fields)"
                    + "Connection: close\r\n\r\n\(body)")
        }

        /// Returns when the client has closed.
        func waitForClose() {
            var byte: UInt8 = 0
            while recv(descriptor, &byte, 1, 0) > 0 {}
        }
    }

    let port: Int
    private let listener: Int32
    private let log = Log()

    /// Shared with the threads, which may outlive the server.
    private final class Log: Sendable {
        let requests = Mutex<[Request]>([])
    }

    init(_ answer: @escaping @Sendable (Request, Connection) -> Void) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { throw POSIXError(.EADDRNOTAVAIL) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread { [listener, log] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                Thread { Self.serve(client, log, answer) }.start()
            }
        }.start()
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

    /// The requests so far.
    var received: [Request] { log.requests.withLock { $0 } }

    private static func serve(_ client: Int32, _ log: Log, _ answer: (Request, Connection) -> Void) {
        defer { close(client) }
        var head: [UInt8] = []
        var byte: UInt8 = 0
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard recv(client, &byte, 1, 0) == 1 else { return }
            head.append(byte)
        }
        let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        let request = Request(line: lines.first ?? "", fields: fields)
        log.requests.withLock { $0.append(request) }
        answer(request, Connection(descriptor: client))
    }
}
