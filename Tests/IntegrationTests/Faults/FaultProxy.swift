//
// FaultProxy.swift: a TCP proxy before a server that can be slow, silent, or gone on one side only.
//

import Foundation
import Glibc
import Synchronization

/// Forwards one port of the loopback interface to another, on a thread of its own.
final class FaultProxy: Sendable {
    enum Mode: Sendable, Hashable {
        case pass
        /// Everything arrives later by so much, in both directions.
        case delay(milliseconds: Int)
        /// Connections are taken and stay, and nothing arrives. What was sent arrives when this is over.
        case drop
        /// The server has seen the connection end, the client has not, and never will of what was open.
        case halfOpenClient
        /// The client has seen the connection end, the server has not, and never will of what was open.
        case halfOpenServer
        /// Every connection is reset.
        case reset
    }

    /// What the faults did to those who talk.
    struct Counts: Sendable {
        var connectionsHarmed = 0
        var bytesHeldUp = 0
    }

    private struct Shared {
        var mode = Mode.pass
        var upstream: UInt16
        var isStopped = false
        var counts = Counts()
    }

    let port: UInt16
    private let shared: Mutex<Shared>
    private let wakeUp: Int32

    init(to upstream: UInt16) throws {
        shared = Mutex(Shared(upstream: upstream))
        let listener = try Self.listen()
        port = Self.port(of: listener)
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw AllocatorProcess.Failure(description: "socketpair: errno \(errno)")
        }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        wakeUp = ends[1]
        let thread = Thread { [weak self, ends] in
            var loop = ProxyLoop(listener: listener, wakeUp: ends[0])
            while let shared = self?.next(&loop.counts) {
                loop.turn(shared.mode, shared.upstream)
            }
            loop.end()
        }
        thread.name = "proxy"
        thread.start()
    }

    deinit {
        stop()
        close(wakeUp)
    }

    /// What the thread goes by in its next turn; nil: it ends.
    private func next(_ counts: inout Counts) -> (mode: Mode, upstream: UInt16)? {
        shared.withLock { shared in
            shared.counts.connectionsHarmed += counts.connectionsHarmed
            shared.counts.bytesHeldUp += counts.bytesHeldUp
            counts = Counts()
            return shared.isStopped ? nil : (shared.mode, shared.upstream)
        }
    }

    var mode: Mode {
        get { shared.withLock(\.mode) }
        set {
            shared.withLock { $0.mode = newValue }
            wake()
        }
    }

    /// Where new connections go.
    var upstream: UInt16 {
        get { shared.withLock(\.upstream) }
        set { shared.withLock { $0.upstream = newValue } }
    }

    var counts: Counts { shared.withLock(\.counts) }

    func stop() {
        shared.withLock { $0.isStopped = true }
        wake()
    }

    private func wake() {
        // On a socket, so that a thread which has ended is no broken pipe.
        var one: UInt8 = 1
        _ = send(wakeUp, &one, 1, Int32(MSG_NOSIGNAL))
    }

    private static func listen() throws -> Int32 {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = ProxyLoop.loopback(0)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard listener >= 0, result == 0, Glibc.listen(listener, 128) == 0 else {
            throw AllocatorProcess.Failure(description: "the proxy cannot listen: errno \(errno)")
        }
        return listener
    }

    private static func port(of listener: Int32) -> UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
        }
        return UInt16(bigEndian: address.sin_port)
    }
}
