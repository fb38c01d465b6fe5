//
// LeaseKeeper.swift: asks for the lease, renews it and tells when this process begins and ceases to lead.
//
// On a connection of its own with short deadlines, so that no long write and no stuck session stands between the
// process and its lease.
//

import Logging
import PostgresDriver
import Synchronization

/// What changed about the lease.
package enum LeaseTransition: Sendable, Hashable {
    /// Somebody else holds it, known by address.
    case waiting(heldBy: String)
    case leading(FencingToken)
    case lost(reason: String)
    /// The lease is not held and cannot be asked for; told once for each other reason.
    case unavailable(reason: String)
    /// The lease was held all the time, and for a while the database could not be asked to lengthen it.
    case recovered(LeaseOutage)
}

/// A time within a term in which the database did not answer. Both instants are the server's.
package struct LeaseOutage: Sendable, Hashable {
    /// The last renewal before it.
    package var from: Timestamp
    /// The first one after it.
    package var to: Timestamp
    package var reason: String
}

/// The I/O around ``LeaderLease``.
package actor LeaseKeeper {
    private let configuration: PostgresConfiguration
    private let renewInterval: Duration
    private let holder: UUID128
    private let address: String
    private let status: (@Sendable () -> ReplicaReport)?
    private let isRecording: @Sendable () -> Bool
    private let logger: Logger
    private var connection: PostgresConnection?
    /// What was last said of this process, and when; not told again before it is due, unless its part has changed.
    private var reported: (at: ContinuousClock.Instant, state: ReplicaReport.State, epoch: Int64?)?
    /// Whether this process leaves the lease to those with a configuration that was recorded later.
    private var isSuperseded = false
    /// How long another's lease had left when this process last asked.
    private var othersLeaseLeft: Duration?
    private var isAsking = false
    private var shouldAskAgain = false
    private var reportedHolder: String?
    /// Why the last question failed; nil after one that was answered.
    private var failure: String?
    /// Why the first question failed since one was answered to the lease's holder.
    private var outage: String?
    /// No term is taken that is not above it: the database has lost that it was used.
    private var epochLost: Int64 = 0
    private nonisolated let renewal = Mutex<Timestamp?>(nil)
    /// A term that the fence has refused, and whose lease is to be given up where it has not run out.
    private nonisolated let fencedTerm = Mutex<FencingToken?>(nil)
    /// Read by writers from anywhere, at any time.
    private nonisolated let lease: Mutex<LeaderLease>

    /// Every change, in order. One consumer.
    package nonisolated let transitions: AsyncStream<LeaseTransition>
    private nonisolated let report: AsyncStream<LeaseTransition>.Continuation

    /// - Parameters:
    ///   - holder: Made by this process at its start.
    ///   - address: How others find this process.
    ///   - status: What this process says of itself; nil: nothing. A process whose configuration is superseded does not ask.
    ///   - isRecording: Whether what this process decides gets recorded, asked at each renewal.
    package init(
        configuration: PostgresConfiguration, timeToLive: Duration, renewInterval: Duration, holder: UUID128,
        address: String, status: (@Sendable () -> ReplicaReport)? = nil,
        isRecording: @escaping @Sendable () -> Bool = { true }, logger: Logger
    ) {
        var configuration = configuration
        configuration.connectTimeout = min(configuration.connectTimeout, timeToLive / 2)
        configuration.statementTimeout = timeToLive / 2
        configuration.idleInTransactionTimeout = min(configuration.idleInTransactionTimeout, timeToLive)
        self.configuration = configuration
        self.renewInterval = renewInterval
        self.holder = holder
        self.address = address
        self.status = status
        self.isRecording = isRecording
        self.logger = logger
        lease = Mutex(LeaderLease(timeToLive: timeToLive, safetyMargin: min(.seconds(1), timeToLive / 4)))
        (transitions, report) = AsyncStream.makeStream()
    }

    /// Whether something may be written in that term at this instant.
    package nonisolated func isTrusted(_ token: FencingToken) -> Bool {
        guard token.holder == holder else { return false }
        return lease.withLock { $0.trusted(now: .now)?.epoch == token.epoch }
    }

    /// When the database last confirmed the lease to this process while it could record, by the database's clock.
    package nonisolated var lastRenewal: Timestamp? { renewal.withLock(\.self) }

    /// The term in which something may be written at this instant; nil while there is none.
    package nonisolated var trustedToken: FencingToken? {
        lease.withLock { $0.trusted(now: .now) }.map { FencingToken(holder: holder, epoch: $0.epoch) }
    }

    /// Asks at once, because somebody has said that the lease is free.
    package func askNow() async {
        guard lease.withLock(\.heldEpoch) == nil else { return }
        await ask()
    }

    /// Ends the term that the fence has refused, so that the next question is for a new one. Renewed, it would go on
    /// without anybody who writes in it.
    package nonisolated func fenced(_ token: FencingToken) {
        guard token.holder == holder else { return }
        let action = lease.withLock { $0.fenced(epoch: token.epoch) }
        fencedTerm.withLock { $0 = token }
        if case .stopLeading = action {
            report.yield(.lost(reason: "the database takes no more of epoch \(token.epoch)"))
        }
    }

    /// Asks and renews until cancelled.
    package func run() async throws {
        while true {
            await ask()
            try await Task.sleep(for: pause())
        }
    }

    /// Ends the term that is held and takes none again that is not above this epoch: the database has lost revisions, and
    /// with them perhaps terms.
    package func beginTerm(above epoch: Int64) async {
        epochLost = max(epochLost, epoch)
        guard let held = lease.withLock(\.heldEpoch), held <= epochLost else { return }
        let reason = "the database has lost revisions; a new term begins"
        do {
            try await LeaseQueries.release(
                FencingToken(holder: holder, epoch: held), reason: reason, isRecording: isRecording(), connected(),
                deadline: .now + .seconds(2))
        } catch {
            logger.warning("the lease could not be given up; it will run out", metadata: ["error": "\(error)"])
        }
        act(refused(), reason: reason)
    }

    /// Gives the lease up, if it is held, so that another can take it at once; and is no replica any more.
    package func release() async {
        let held = lease.withLock { lease in
            let epoch = lease.heldEpoch
            _ = lease.refused()
            return epoch
        }
        if status != nil { await withdraw() }
        guard let epoch = held else {
            await connection?.close()
            return
        }
        do {
            try await LeaseQueries.release(
                FencingToken(holder: holder, epoch: epoch), reason: LeaseQueries.stopped, isRecording: isRecording(),
                connected(), deadline: .now + .seconds(2))
            logger.notice("lease given up", metadata: ["epoch": "\(epoch)"])
        } catch {
            logger.warning("the lease could not be given up; it will run out", metadata: ["error": "\(error)"])
        }
        await connection?.close()
    }

    private func withdraw() async {
        guard let connection, await connection.isUsable else { return }
        do {
            try await ReplicaQueries.withdraw(holder, connection, deadline: .now + .seconds(1))
        } catch {
            logger.debug("the row of this process stays a while", metadata: ["error": "\(error)"])
        }
    }

    /// Ends a lease whose holder cannot be alive: the caller owns the database server exclusively and has just started
    /// it, so every earlier session is gone.
    package static func expireAbandoned(_ configuration: PostgresConfiguration, logger: Logger) async throws {
        try await LedgerError.translating {
            let connection = try await PostgresConnection.connect(configuration, logger: logger)
            do {
                _ = try await connection.pipeline([
                    "UPDATE ledger.lease SET expires_at = clock_timestamp() WHERE expires_at > clock_timestamp()",
                    """
                    UPDATE ledger.term SET ended_at = clock_timestamp(), end_reason = 'process ended without giving up' \
                    WHERE ended_at IS NULL
                    """,
                ])
            } catch {
                await connection.close()
                throw error
            }
            await connection.close()
        }
    }

    // MARK: Asking

    private func ask() async {
        // Two questions at once could take the lease and then find it taken.
        guard !isAsking else { return shouldAskAgain = true }
        isAsking = true
        repeat {
            shouldAskAgain = false
            await askOnce()
        } while shouldAskAgain && !Task.isCancelled
        isAsking = false
    }

    private func askOnce() async {
        othersLeaseLeft = nil
        let askedAt = ContinuousClock.now
        let timeToLive = lease.withLock(\.timeToLive)
        let deadline = askedAt + timeToLive / 2
        do {
            let connection = try await connected()
            let ended = fencedTerm.withLock { term in
                defer { term = nil }
                return term
            }
            if let ended {
                try await LeaseQueries.release(
                    ended, reason: "what was written in it was refused", isRecording: isRecording(), connection,
                    deadline: deadline)
            }
            if let epoch = lease.withLock(\.heldEpoch) {
                let token = FencingToken(holder: holder, epoch: epoch)
                let renewedAt = try await LeaseQueries.renew(
                    token, timeToLive: timeToLive.inSeconds, isRecording: isRecording(), connection,
                    deadline: deadline)
                act(
                    renewedAt != nil ? renewed(epoch, askedAt) : refused(),
                    reason: "the lease ran out, or another process has taken it")
                if let renewedAt {
                    // A reply that came when nothing was trusted any more ended the term; the next one says why.
                    if lease.withLock(\.heldEpoch) == nil {
                        outage = outage ?? "the database answered too late"
                    } else {
                        noteRenewal(renewedAt)
                    }
                }
            } else if let epoch = try await LeaseQueries.acquire(
                holder: holder, address: address, timeToLive: timeToLive.inSeconds, sawOutage: outage != nil,
                configuration: status?().configuration, above: epochLost, connection, deadline: deadline)
            {
                outage = nil
                isSuperseded = false
                let renewedAt = try await LeaseQueries.renewedAt(connection, deadline: deadline)
                renewal.withLock { $0 = renewedAt }
                act(granted(epoch, askedAt), reason: "")
            } else if let other = try await LeaseQueries.holder(connection, deadline: deadline) {
                // One's own lease that has not run out yet: what ended the term is still the last that happened.
                if other.holder != holder { outage = nil }
                othersLeaseLeft = .seconds(max(0, other.secondsLeft))
                if other.address != reportedHolder {
                    reportedHolder = other.address
                    report.yield(.waiting(heldBy: other.address))
                }
            }
            try await reportIfDue(connection, deadline)
            if failure != nil { logger.notice("the lease can be asked for again") }
            failure = nil
        } catch {
            note("\((error as? PostgresError).map { "\(LedgerError($0))" } ?? "\(error)")", error)
        }
    }

    /// Says what this process is, on the session on which it asks: so one that is heard of is one that would lead.
    private func reportIfDue(_ connection: PostgresConnection, _ deadline: ContinuousClock.Instant) async throws {
        guard let status else { return }
        var now = status()
        let held = lease.withLock(\.heldEpoch)
        // Whoever writes hears of the term a moment later.
        if held != nil || now.state == .leading {
            now.state = held == nil ? .following : .leading
            now.epoch = held
        }
        let (state, epoch) = (now.state, now.epoch)
        guard
            reported.map({
                $0.at + ReplicaQueries.interval <= .now || $0.state != state || $0.epoch != epoch
            }) ?? true
        else { return }
        if held == nil {
            let query = ReplicaQueries.isSuperseded(now.configuration, holder)
            let wasSuperseded = isSuperseded
            isSuperseded =
                try await connection.query("SELECT \(query)", deadline: deadline).first?.decode(0, as: Bool.self)
                ?? false
            if isSuperseded { now.state = .superseded }
            if isSuperseded != wasSuperseded {
                logger.notice(
                    isSuperseded
                        ? "another configuration was recorded after this one; the lease is left to those that have it"
                        : "no replica with a configuration that was recorded after this one is alive")
            }
        }
        try await ReplicaQueries.report(now, connection, deadline: deadline)
        reported = (.now, state, epoch)
    }

    /// Takes a renewal that was confirmed; it may end a time without one, unless nothing can be recorded yet.
    private func noteRenewal(_ renewedAt: Timestamp) {
        let before = renewal.withLock { renewal in
            defer { renewal = renewedAt }
            return renewal
        }
        guard before != renewedAt else { return }
        if let reason = outage, let before, lease.withLock(\.heldEpoch) != nil {
            report.yield(.recovered(LeaseOutage(from: before, to: renewedAt, reason: reason)))
        }
        outage = nil
    }

    /// Takes a question that failed. A fault that lasts is told once and not every second.
    private func note(_ reason: String, _ error: any Error) {
        let isNew = reason != failure
        failure = reason
        outage = outage ?? reason
        if isNew { logger.warning("the lease cannot be asked for", metadata: ["error": "\(error)"]) }
        let action = lease.withLock { $0.tick(now: .now) }
        act(action, reason: "the lease was not renewed in time: \(reason)")
        if case .stopLeading = action { return }
        guard isNew, lease.withLock(\.heldEpoch) == nil else { return }
        reportedHolder = nil
        report.yield(.unavailable(reason: reason))
    }

    private func granted(_ epoch: Int64, _ askedAt: ContinuousClock.Instant) -> LeaderLease.Action {
        lease.withLock { $0.granted(epoch: epoch, askedAt: askedAt, repliedAt: .now) }
    }

    private func renewed(_ epoch: Int64, _ askedAt: ContinuousClock.Instant) -> LeaderLease.Action {
        lease.withLock { $0.renewed(epoch: epoch, askedAt: askedAt, repliedAt: .now) }
    }

    private func refused() -> LeaderLease.Action { lease.withLock { $0.refused() } }

    private func act(_ action: LeaderLease.Action, reason: String) {
        switch action {
        case .startLeading(let term):
            reportedHolder = nil
            report.yield(.leading(FencingToken(holder: holder, epoch: term.epoch)))
        case .stopLeading: report.yield(.lost(reason: reason))
        case .wait: break
        }
    }

    /// Until the next question; never past the end of trust, so that it is noticed in time.
    private func pause() -> Duration {
        let now = ContinuousClock.now
        guard let term = lease.withLock({ $0.trusted(now: now) }) else {
            // A lease that is not renewed is asked for as soon as it has run out.
            return min(renewInterval, .seconds(1), (othersLeaseLeft ?? .seconds(1)) + .milliseconds(20))
        }
        return min(renewInterval, now.duration(to: term.trustedUntil))
    }

    private func connected() async throws(PostgresError) -> PostgresConnection {
        if let connection, await connection.isUsable { return connection }
        let fresh = try await PostgresConnection.connect(configuration, logger: logger)
        connection = fresh
        return fresh
    }
}

extension Duration {
    /// As PostgreSQL's make_interval takes it.
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
