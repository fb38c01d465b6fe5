//
// DNSClient.swift: asks name servers. Blocks: for an executor of its own.
//
// glibc's own resolver caches nothing and hides which answers are failures; here a name that does not exist and a server
// that does not answer are told apart, so that only the first can take targets away. Rules: spec/prometheus-sd.md 8.
//

import AllocationCore
import Glibc

/// One lookup after the other, at the servers of one configuration.
struct DNSClient {
    /// A server that takes longer is passed over.
    static let patienceMilliseconds: Int32 = 2000

    private let configuration: ResolverConfiguration

    init(_ configuration: ResolverConfiguration) { self.configuration = configuration }

    /// The records of a name, which may be none.
    ///
    /// - Throws: ``DNSError/noSuchName(_:)`` when every candidate is known not to exist; else why there is no answer.
    func lookUp(_ name: String, _ type: DNSRecordType) throws(DNSError) -> [DNSRecord] {
        var failure: DNSError?
        for candidate in configuration.candidates(name) {
            do throws(DNSError) {
                if let records = try ask(candidate, type) { return records }
            } catch {
                failure = error
            }
        }
        throw failure ?? .noSuchName(name)
    }

    /// Nil: the name does not exist.
    private func ask(_ name: String, _ type: DNSRecordType) throws(DNSError) -> [DNSRecord]? {
        var last = "no server"
        for server in configuration.servers {
            let id = UInt16.random(in: .min ... .max)
            do throws(DNSError) {
                var answer = try DNSMessage.answer(
                    exchange(try question(id, name, type, large: true), with: server, id: id, isStream: false))
                if answer.isTruncated {
                    answer = try DNSMessage.answer(
                        exchange(try question(id, name, type, large: false), with: server, id: id, isStream: true))
                    if answer.isTruncated { throw .truncated }
                }
                switch answer.code {
                case DNSAnswer.noError: return answer.records
                case DNSAnswer.nameError: return nil
                default: last = "server \(server) answered with code \(answer.code)"
                }
            } catch {
                if case .invalidName = error { throw error }
                last = "server \(server): \(error)"
            }
        }
        throw .noAnswer(name: name, last)
    }

    private func question(
        _ id: UInt16, _ name: String, _ type: DNSRecordType, large: Bool
    ) throws(DNSError) -> [UInt8] {
        try DNSMessage.question(id: id, name: name, type: type, offersLargeDatagrams: large)
    }

    // MARK: Sockets

    private func exchange(
        _ question: [UInt8], with server: String, id: UInt16, isStream: Bool
    ) throws(DNSError) -> [UInt8] {
        let socket = try Connection(server, configuration.port, isStream: isStream)
        let deadline = ContinuousClock.now + .milliseconds(Int(Self.patienceMilliseconds))
        if isStream {
            try socket.send([UInt8(question.count >> 8), UInt8(question.count & 0xFF)] + question)
            let length = try socket.receive(exactly: 2, until: deadline)
            return try socket.receive(exactly: Int(length[0]) << 8 | Int(length[1]), until: deadline)
        }
        try socket.send(question)
        while true {
            let datagram = try socket.receiveDatagram(until: deadline)
            // Late answers to others, and forged ones, are passed over.
            if datagram.count >= 2, UInt16(datagram[0]) << 8 | UInt16(datagram[1]) == id { return datagram }
        }
    }

    /// A connected socket, closed when it is let go.
    private struct Connection: ~Copyable {
        private let descriptor: Int32
        private let server: String

        init(_ server: String, _ port: UInt16, isStream: Bool) throws(DNSError) {
            self.server = server
            descriptor = try Self.open(server, port, isStream: isStream)
        }

        deinit { close(descriptor) }

        private static func open(_ server: String, _ port: UInt16, isStream: Bool) throws(DNSError) -> Int32 {
            var hints = addrinfo()
            hints.ai_flags = AI_NUMERICHOST
            hints.ai_socktype = Int32((isStream ? SOCK_STREAM : SOCK_DGRAM).rawValue)
            var found: UnsafeMutablePointer<addrinfo>?
            guard getaddrinfo(server, "\(port)", &hints, &found) == 0, let found else {
                throw .noConfiguration("\(server) is not an address")
            }
            defer { freeaddrinfo(found) }
            let info = found.pointee
            let descriptor = socket(
                info.ai_family, info.ai_socktype | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            guard descriptor >= 0 else { throw .noAnswer(name: server, String(cString: strerror(errno))) }
            if connect(descriptor, info.ai_addr, info.ai_addrlen) != 0, errno != EINPROGRESS {
                let text = String(cString: strerror(errno))
                close(descriptor)
                throw .noAnswer(name: server, text)
            }
            return descriptor
        }

        func send(_ bytes: [UInt8]) throws(DNSError) {
            try wait(for: POLLOUT, until: .now + .milliseconds(Int(DNSClient.patienceMilliseconds)))
            let sent = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent == bytes.count else { throw .noAnswer(name: server, String(cString: strerror(errno))) }
        }

        func receiveDatagram(until deadline: ContinuousClock.Instant) throws(DNSError) -> [UInt8] {
            try receive(upTo: DNSMessage.datagramBytesMax, until: deadline)
        }

        func receive(exactly count: Int, until deadline: ContinuousClock.Instant) throws(DNSError) -> [UInt8] {
            var bytes: [UInt8] = []
            while bytes.count < count {
                let piece = try receive(upTo: count - bytes.count, until: deadline)
                guard !piece.isEmpty else { throw .noAnswer(name: server, "connection closed") }
                bytes += piece
            }
            return bytes
        }

        private func receive(upTo count: Int, until deadline: ContinuousClock.Instant) throws(DNSError) -> [UInt8] {
            try wait(for: POLLIN, until: deadline)
            var bytes = [UInt8](repeating: 0, count: count)
            let got = recv(descriptor, &bytes, count, 0)
            guard got >= 0 else { throw .noAnswer(name: server, String(cString: strerror(errno))) }
            return Array(bytes[..<got])
        }

        private func wait(for event: Int32, until deadline: ContinuousClock.Instant) throws(DNSError) {
            while true {
                let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
                var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
                let count = poll(&entry, 1, Int32(max(0, left.rounded(.up))))
                if count > 0 { return }
                if count == 0 { throw .noAnswer(name: server, "no answer in time") }
                if errno != EINTR { throw .noAnswer(name: server, String(cString: strerror(errno))) }
            }
        }
    }
}
