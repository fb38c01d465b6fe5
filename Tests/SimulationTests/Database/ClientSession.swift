//
// ClientSession.swift: a session as the program has it, and the network under it.
//
// TCP delivers in order or not at all. What is sent into a cut comes after it, late, as long as the connection lasts;
// so a COMMIT can arrive when its sender has long opened another session.
//

import PostgresDriver

/// The way between one replica and the database.
final class Link {
    enum Direction: Int, CaseIterable { case toServer, toClient }

    let simulation: Simulation
    private var cutUntil: [SimulatedTime] = [0, 0]
    /// Whether what is sent into the present cut is lost for good.
    private var loses = false
    /// The chance that a packet takes much longer.
    var spikes = 0.0
    /// The chances that a notification is not heard, and that it is heard twice.
    var lostNotifications = 0.0
    var doubledNotifications = 0.0

    init(_ simulation: Simulation) { self.simulation = simulation }

    func cut(_ directions: [Direction], for time: SimulatedTime, losing: Bool) {
        loses = losing
        for direction in directions { cutUntil[direction.rawValue] = simulation.now + time }
    }

    func heal() { cutUntil = [0, 0] }

    /// When what is sent now arrives; nil: never.
    func arrival(_ direction: Direction) -> SimulatedTime? {
        let until = cutUntil[direction.rawValue]
        if until > simulation.now {
            // Sent again after pauses that double: up to as long again as the cut was.
            return loses ? nil : until + SimulatedTime(simulation.fraction() * Double(until - simulation.now))
        }
        return simulation.now
            + (simulation.chance(spikes) ? simulation.seconds(0.05...2) : simulation.seconds(0.0002...0.002))
    }
}

/// A session.
final class ClientSession {
    private let process: SimulatedProcess
    private let link: Link
    private var server: ServerSession?
    private var lastArrival: [SimulatedTime] = [0, 0]
    private var isBroken = [false, false]
    private(set) var isUsable = true
    private var pending: Completion<Reply>?
    private var notifications: [Notification] = []
    private var listener: Completion<Notification?>?

    private init(_ process: SimulatedProcess, _ link: Link) {
        self.process = process
        self.link = link
    }

    static func open(
        _ process: SimulatedProcess, _ link: Link, _ database: SimulatedDatabase, timeout: Duration
    ) async throws(Fault) -> ClientSession {
        let session = ClientSession(process, link)
        process.add(session)
        let reply = try await session.exchange(timeout: timeout) { answer in
            session.server = database.open()
            guard let server = session.server else { return answer(.refused(.startingUp)) }
            server.onEnd = { [weak session] in session?.transmit(.toClient) { session?.lose() } }
            server.onNotification = { [weak session] in session?.hear($0) }
            answer(.done)
        }
        if case .refused = reply {
            session.isUsable = false
            throw .unreachable
        }
        return session
    }

    /// Asks one thing.
    ///
    /// - Parameter timeout: By the process's clock. The session is of no use after it.
    func ask(_ request: Request, timeout: Duration) async throws(Fault) -> Reply {
        guard isUsable else { throw .lost }
        let reply = try await exchange(timeout: timeout) { [weak self] answer in self?.server?.take(request, answer) }
        if case .refused(let refusal) = reply { throw .refused(refusal) }
        return reply
    }

    /// What the session is notified of next; nil when nothing is in time.
    func nextNotification(within patience: Duration) async throws(Fault) -> Notification? {
        guard notifications.isEmpty else { return notifications.removeFirst() }
        guard isUsable else { throw .lost }
        return try await process.wait { (completion: Completion<Notification?>) in
            listener = completion
            let simulation = process.simulation
            simulation.after(process.trueTime(patience)) { [process] in
                process.deliver { completion.succeed(nil) }
            }
        }
    }

    private func hear(_ notification: Notification) {
        if link.simulation.chance(link.lostNotifications) { return }
        for _ in 0..<(link.simulation.chance(link.doubledNotifications) ? 2 : 1) {
            transmit(.toClient) { [self] in
                process.deliver { [self] in
                    guard isUsable else { return }
                    if let listener, listener.isOpen {
                        listener.succeed(notification)
                    } else {
                        notifications.append(notification)
                    }
                }
            }
        }
    }

    private func exchange(
        timeout: Duration, _ atServer: @escaping (@escaping (Reply) -> Void) -> Void
    ) async throws(Fault) -> Reply {
        try await process.wait { (completion: Completion<Reply>) in
            pending = completion
            transmit(.toServer) { [self] in
                atServer { [self] reply in
                    transmit(.toClient) { [self] in process.deliver { completion.succeed(reply) } }
                }
            }
            let simulation = process.simulation
            simulation.after(process.trueTime(timeout)) { [self] in
                process.deliver { [self] in
                    guard completion.isOpen else { return }
                    close()
                    completion.fail(.deadline)
                }
            }
        }
    }

    /// Closes it from this side; the server hears of it if the network lets it.
    func close() {
        guard isUsable else { return }
        isUsable = false
        transmit(.toServer) { [self] in
            server?.onEnd = nil
            server?.end()
        }
    }

    private func lose() {
        process.deliver { [self] in
            guard isUsable else { return }
            isUsable = false
            pending?.fail(.lost)
            listener?.fail(.lost)
        }
    }

    private func transmit(_ direction: Link.Direction, _ action: @escaping () -> Void) {
        let index = direction.rawValue
        guard !isBroken[index] else { return }
        guard let arrival = link.arrival(direction) else {
            // Nothing after a lost packet is delivered either. The server finds out by its keepalives.
            isBroken[index] = true
            let server = server
            process.simulation.after(.seconds(20)) { server?.end() }
            return
        }
        lastArrival[index] = max(arrival, lastArrival[index])
        process.simulation.at(lastArrival[index], action)
    }
}
