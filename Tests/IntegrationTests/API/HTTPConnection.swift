//
// HTTPConnection.swift: one plain TCP connection to a server under test.
//
// A client library would hide what these tests are about: order on a connection, what closes it, exact bytes.
//

import NIOCore
import NIOPosix

/// Sends bytes and reads whole answers.
final class HTTPConnection {
    struct Answer: Equatable {
        var status: Int
        /// Names in lower case.
        var fields: [String: String]
        var body: ByteBuffer

        var text: String { String(buffer: body) }
    }

    enum ConnectionError: Error {
        case ended(after: Int)
        case malformed(String)
    }

    private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var received = ByteBuffer()

    private init(
        inbound: NIOAsyncChannelInboundStream<ByteBuffer>, outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        iterator = inbound.makeAsyncIterator()
        self.outbound = outbound
    }

    /// Connects, runs `body`, closes.
    static func with<Result>(
        port: Int, isolation: isolated (any Actor)? = #isolation,
        _ body: (HTTPConnection) async throws -> sending Result
    ) async throws -> sending Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await body(HTTPConnection(inbound: inbound, outbound: outbound))
        }
    }

    func send(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }

    /// No more will be sent; answers are still read.
    func finishSending() { outbound.finish() }

    /// A GET with `Host` and these fields.
    func get(_ target: String, _ fields: [String] = []) async throws -> Answer {
        try await send(Self.request(target, fields))
        return try await answer()
    }

    static func request(_ target: String, _ fields: [String] = []) -> String {
        "GET \(target) HTTP/1.1\r\nHost: test\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
    }

    /// The next answer, which must have a Content-Length.
    func answer() async throws -> Answer {
        let head = try await line(endingWith: "\r\n\r\n")
        let lines = head.split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw ConnectionError.malformed(head)
        }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw ConnectionError.malformed(head) }
            let name = line[..<colon].lowercased()
            guard fields[name] == nil else { throw ConnectionError.malformed(head) }
            fields[name] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        let length = fields["content-length"].flatMap { Int($0) } ?? 0
        while received.readableBytes < length { try await receive() }
        return Answer(status: status, fields: fields, body: received.readSlice(length: length) ?? ByteBuffer())
    }

    /// Whether the server has closed the connection, with nothing left to read.
    func isEnded() async throws -> Bool {
        if received.readableBytes > 0 { return false }
        return try await iterator.next() == nil
    }

    private func line(endingWith end: String) async throws -> String {
        while true {
            let view = received.readableBytesView
            if let range = view.firstRange(of: end.utf8) {
                return received.readString(length: range.upperBound - view.startIndex) ?? ""
            }
            try await receive()
        }
    }

    private func receive() async throws {
        guard var bytes = try await iterator.next() else { throw ConnectionError.ended(after: received.readableBytes) }
        received.writeBuffer(&bytes)
    }
}
