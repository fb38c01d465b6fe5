//
// ProxyLoop.swift: the sockets of a proxy, and what one turn of its thread does with them.
//

import Glibc

/// Confined to the proxy's thread.
struct ProxyLoop {
    /// Bytes on their way, and when they may arrive.
    private struct Chunk {
        var bytes: [UInt8]
        var due: ContinuousClock.Instant
    }

    private struct Link {
        var client: Int32
        /// -1: not connected yet, or not any more.
        var server: Int32
        var toServer: [Chunk] = []
        var toClient: [Chunk] = []
        /// One side is gone and the other is not to hear of it.
        var isHalfOpen = false
        var isOver = false

        var descriptors: [Int32] { [client, server].filter { $0 >= 0 } }
    }

    private static let queueMax = 256

    private let listener: Int32
    private let wakeUp: Int32
    private var links: [Link] = []
    private var mode = FaultProxy.Mode.pass
    var counts = FaultProxy.Counts()
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    init(listener: Int32, wakeUp: Int32) {
        self.listener = listener
        self.wakeUp = wakeUp
    }

    static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    mutating func end() {
        for link in links { for descriptor in link.descriptors { close(descriptor) } }
        close(listener)
        close(wakeUp)
    }

    // MARK: A turn

    /// Waits for something to do, and does it.
    mutating func turn(_ next: FaultProxy.Mode, _ upstream: UInt16) {
        enter(next)
        var polled = [
            pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0),
            pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
        ]
        let now = ContinuousClock.now
        var nextDue: ContinuousClock.Instant?
        for link in links {
            for (socket, incoming, outgoing) in [
                (link.client, link.toServer, link.toClient), (link.server, link.toClient, link.toServer),
            ] where socket >= 0 {
                var events: Int16 = 0
                if reads(link), incoming.count < Self.queueMax { events |= Int16(POLLIN) }
                if let first = outgoing.first, mode != .drop {
                    if first.due <= now {
                        events |= Int16(POLLOUT)
                    } else {
                        nextDue = min(nextDue ?? first.due, first.due)
                    }
                }
                // Without any event a hang-up would be told again and again.
                polled.append(pollfd(fd: events == 0 ? -1 : socket, events: events, revents: 0))
            }
        }
        let wait = nextDue.map { max(1, Int32(now.duration(to: $0) / .milliseconds(1)) + 1) } ?? 500
        guard poll(&polled, nfds_t(polled.count), wait) >= 0 else { return }
        if polled[0].revents != 0 {
            _ = read(wakeUp, &buffer, buffer.count)
        }
        var ready: [Int32: Int16] = [:]
        for entry in polled.dropFirst(2) where entry.revents != 0 { ready[entry.fd] = entry.revents }
        for index in links.indices { serve(index, ready, upstream) }
        if polled[1].revents != 0 { take(upstream) }
        for link in links where link.isOver { for descriptor in link.descriptors { close(descriptor) } }
        links.removeAll(where: \.isOver)
    }

    private func reads(_ link: Link) -> Bool { mode != .drop || link.isHalfOpen }

    private mutating func enter(_ next: FaultProxy.Mode) {
        guard next != mode else { return }
        mode = next
        for index in links.indices where !links[index].isHalfOpen {
            switch next {
            case .pass: break
            case .delay, .drop: counts.connectionsHarmed += 1
            case .halfOpenClient:
                counts.connectionsHarmed += 1
                Self.reset(links[index].server)
                links[index].server = -1
                links[index].isHalfOpen = true
            case .halfOpenServer:
                counts.connectionsHarmed += 1
                Self.reset(links[index].client)
                links[index].client = -1
                links[index].isHalfOpen = true
            case .reset: cut(index)
            }
        }
        links.removeAll(where: \.isOver)
    }

    /// Both sides see a reset.
    private mutating func cut(_ index: Int) {
        counts.connectionsHarmed += 1
        for descriptor in links[index].descriptors { Self.reset(descriptor) }
        (links[index].client, links[index].server) = (-1, -1)
        links[index].isOver = true
    }

    private static func reset(_ socket: Int32) {
        guard socket >= 0 else { return }
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close(socket)
    }

    // MARK: Connections

    private mutating func take(_ upstream: UInt16) {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        Self.prepare(client)
        switch mode {
        case .reset:
            counts.connectionsHarmed += 1
            Self.reset(client)
        case .halfOpenClient:
            counts.connectionsHarmed += 1
            links.append(Link(client: client, server: -1, isHalfOpen: true))
        case .halfOpenServer:
            counts.connectionsHarmed += 1
            Self.reset(client)
        case .drop:
            counts.connectionsHarmed += 1
            links.append(Link(client: client, server: -1))
        case .pass, .delay:
            let server = Self.connect(upstream)
            guard server >= 0 else { return Self.reset(client) }
            if isDelay { counts.connectionsHarmed += 1 }
            links.append(Link(client: client, server: server))
        }
    }

    private static func prepare(_ socket: Int32) {
        var yes: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        _ = fcntl(socket, F_SETFL, O_NONBLOCK)
        _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
    }

    /// -1: nobody listens there.
    private static func connect(_ port: UInt16) -> Int32 {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            close(server)
            return -1
        }
        prepare(server)
        return server
    }

    // MARK: Bytes

    private mutating func serve(_ index: Int, _ ready: [Int32: Int16], _ upstream: UInt16) {
        // Taken while nothing arrived, and now something does.
        if links[index].server < 0, !links[index].isHalfOpen, mode == .pass || isDelay {
            links[index].server = Self.connect(upstream)
            if links[index].server < 0 { return cut(index) }
        }
        let (client, server) = (links[index].client, links[index].server)
        if let events = ready[client], client >= 0 { serve(index, client, events, isClient: true) }
        if let events = ready[server], server >= 0, !links[index].isOver {
            serve(index, server, events, isClient: false)
        }
    }

    private var isDelay: Bool { if case .delay = mode { true } else { false } }

    private mutating func serve(_ index: Int, _ socket: Int32, _ events: Int16, isClient: Bool) {
        if events & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
            let count = recv(socket, &buffer, buffer.count, 0)
            if count > 0 {
                receive(index, Array(buffer[..<count]), isClient)
            } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
                return links[index].isOver = true
            }
        }
        if events & Int16(POLLOUT) != 0 { send(index, socket, isClient) }
    }

    private mutating func receive(_ index: Int, _ bytes: [UInt8], _ isClient: Bool) {
        var due = ContinuousClock.now
        if links[index].isHalfOpen { return counts.bytesHeldUp += bytes.count }
        if case .delay(let milliseconds) = mode {
            due += .milliseconds(milliseconds)
            counts.bytesHeldUp += bytes.count
        }
        if isClient {
            links[index].toServer.append(Chunk(bytes: bytes, due: due))
        } else {
            links[index].toClient.append(Chunk(bytes: bytes, due: due))
        }
    }

    private mutating func send(_ index: Int, _ socket: Int32, _ isClient: Bool) {
        let now = ContinuousClock.now
        while let first = isClient ? links[index].toClient.first : links[index].toServer.first, first.due <= now {
            let sent = Glibc.send(socket, first.bytes, first.bytes.count, Int32(MSG_NOSIGNAL))
            guard sent > 0 else {
                if errno != EAGAIN { links[index].isOver = true }
                return
            }
            let rest = sent < first.bytes.count ? [Chunk(bytes: Array(first.bytes[sent...]), due: first.due)] : []
            if isClient {
                links[index].toClient.replaceSubrange(0..<1, with: rest)
            } else {
                links[index].toServer.replaceSubrange(0..<1, with: rest)
            }
        }
    }
}
