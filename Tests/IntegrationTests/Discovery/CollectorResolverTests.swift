import AllocationCore
import Foundation
import Glibc
import Testing

@testable import Discovery

/// Goal: a name that does not exist, a server that is silent and one that answers are told apart.
///
/// Method: a name server of a few lines on loopback, over UDP and TCP; the client is the real one.
@Suite(.timeLimit(.minutes(1))) struct CollectorResolverTests {
    /// What the server says to a question: a code, the targets of SRV records, and whether UDP is too small for them.
    struct Reply: Sendable {
        var code: UInt8 = 0
        var targets: [String] = []
        var isLarge = false
    }

    /// Answers on one port over UDP and TCP.
    final class NameServer: Sendable {
        let port: UInt16
        private let datagrams: Int32
        private let streams: Int32

        init(_ reply: @escaping @Sendable (_ name: String) -> Reply) throws {
            let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            let streams = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            (self.datagrams, self.streams) = (datagrams, streams)
            // Whatever port TCP gets, UDP takes, too.
            let port = Self.bind(streams, port: 0)
            guard port != 0, listen(streams, 8) == 0, Self.bind(datagrams, port: port) == port else {
                throw POSIXError(.EADDRNOTAVAIL)
            }
            self.port = port
            Thread {
                var buffer = [UInt8](repeating: 0, count: 4096)
                while true {
                    var client = sockaddr_storage()
                    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
                    withUnsafeMutablePointer(to: &client) { pointer in
                        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { client in
                            let count = recvfrom(datagrams, &buffer, buffer.count, 0, client, &length)
                            guard count > 0 else { return }
                            let question = Array(buffer[..<count])
                            var answer = reply(Self.name(question))
                            if answer.isLarge { answer.targets = [] }
                            let bytes = Self.bytes(question, answer, isTruncated: answer.isLarge)
                            // A forged answer first, to be passed over.
                            _ = sendto(datagrams, [0, 0] + bytes[2...], bytes.count, 0, client, length)
                            _ = sendto(datagrams, bytes, bytes.count, 0, client, length)
                        }
                    }
                    if length == 0 { return }
                }
            }.start()
            Thread {
                while true {
                    let client = accept(streams, nil, nil)
                    guard client >= 0 else { return }
                    var buffer = [UInt8](repeating: 0, count: 4096)
                    let count = recv(client, &buffer, buffer.count, 0)
                    if count > 2 {
                        let question = Array(buffer[2..<count])
                        let bytes = Self.bytes(question, reply(Self.name(question)), isTruncated: false)
                        let framed = [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
                        _ = send(client, framed, framed.count, Int32(MSG_NOSIGNAL))
                    }
                    close(client)
                }
            }.start()
        }

        deinit {
            shutdown(datagrams, Int32(SHUT_RDWR))
            shutdown(streams, Int32(SHUT_RDWR))
            close(datagrams)
            close(streams)
        }

        private static func bind(_ descriptor: Int32, port: UInt16) -> UInt16 {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                    Glibc.bind(descriptor, raw, length) == 0 && getsockname(descriptor, raw, &length) == 0
                }
            }
            return isBound ? UInt16(bigEndian: address.sin_port) : 0
        }

        private static func name(_ question: [UInt8]) -> String {
            var name = ""
            var offset = 12
            while offset < question.count, question[offset] > 0 {
                let end = offset + 1 + Int(question[offset])
                name += String(decoding: question[(offset + 1)..<end], as: UTF8.self) + "."
                offset = end
            }
            return name
        }

        private static func bytes(_ question: [UInt8], _ reply: Reply, isTruncated: Bool) -> [UInt8] {
            let nameEnd = 12 + name(question).utf8.count + 1
            var bytes = question[..<2] + [isTruncated ? 0x83 : 0x81, 0x80 | reply.code, 0, 1]
            bytes += [0, UInt8(reply.targets.count), 0, 0, 0, 0] + question[12..<(nameEnd + 4)]
            for target in reply.targets {
                var labels: [UInt8] = []
                for label in target.split(separator: ".") {
                    labels.append(UInt8(label.utf8.count))
                    labels += Array(label.utf8)
                }
                labels.append(0)
                bytes += [0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 5, 0, UInt8(labels.count + 6), 0, 0, 0, 0, 0x1F, 0x90]
                bytes += labels
            }
            return Array(bytes)
        }
    }

    func resolver(_ server: NameServer, servers: [String] = ["127.0.0.1"], search: [String] = []) -> CollectorResolver {
        let configuration = ResolverConfiguration(servers: servers, port: server.port, search: search)
        return CollectorResolver { configuration }
    }

    @Test("SRV targets are the collectors; a truncated answer is asked for again over TCP", arguments: [false, true])
    func targets(isLarge: Bool) async throws {
        let server = try NameServer { _ in
            Reply(targets: ["c-1.otel.ns.svc.cluster.local", "c-0.otel.ns.svc.cluster.local"], isLarge: isLarge)
        }
        let found = try await resolver(server).collectors("_http._tcp.otel.ns.svc.cluster.local").get()
        #expect(found.map(\.name) == ["c-0", "c-1"])
    }

    @Test("Search domains are tried until one knows the name")
    func search() async throws {
        let server = try NameServer { name in
            name == "_h._tcp.otel.right." ? Reply(targets: ["c.otel.right"]) : Reply(code: 3)
        }
        let found = try await resolver(server, search: ["wrong", "right"]).collectors("_h._tcp.otel").get()
        #expect(found.map(\.name) == ["c"])
    }

    @Test("No such name, and a server that is broken, are two errors")
    func errors() async throws {
        let unknown = try NameServer { _ in Reply(code: 3) }
        let first = await resolver(unknown).collectors("_a.b")
        #expect(first == .failure(CollectorSourceError("_a.b: no such name")))
        let broken = try NameServer { _ in Reply(code: 2) }
        let second = await resolver(broken).collectors("_a.b")
        #expect(second == .failure(CollectorSourceError("_a.b.: server 127.0.0.1 answered with code 2")))
    }

    @Test("A server that is not there is passed over")
    func nextServer() async throws {
        let server = try NameServer { _ in Reply(targets: ["c.x"]) }
        // Nobody listens at 127.0.0.2; the kernel says so at once.
        let found = try await resolver(server, servers: ["127.0.0.2", "127.0.0.1"]).collectors("_a.b").get()
        #expect(found.map(\.name) == ["c"])
    }

    @Test("Addresses come from the system's name service")
    func addresses() async throws {
        let found = try await CollectorResolver().collectors("localhost").get()
        #expect(found.map(\.name) == ["127.0.0.1"])
        let unknown = await CollectorResolver().collectors("no-such-host.invalid")
        #expect(throws: CollectorSourceError.self) { try unknown.get() }
    }
}
