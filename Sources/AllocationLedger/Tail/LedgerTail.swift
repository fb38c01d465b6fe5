//
// LedgerTail.swift: hears of what others record: a session that listens, watched by a heartbeat, and a poll beside it.
//
// It decides nothing: FollowerLog does. Nor does it read: whoever follows is told to look, and reads on the session that
// it would write on. What is heard is a hint; a tail that hears nothing at all is late by one poll and never wrong.
//

import AllocationCore
import Logging
import PostgresDriver
import Synchronization

/// One process's ear on the log.
package actor LedgerTail {
    /// The channel on which a process that gives the lease up says so.
    package static let leaseChannel = "target_ledger_lease"

    /// How this process hears of revisions.
    package enum Hearing: Sendable, Hashable {
        /// No session listens yet, or none any more.
        case connecting
        case listening
        /// The server is behind something that hands each transaction to another session: there is only polling.
        case pollingOnly(reason: String)
    }

    private let configuration: PostgresConfiguration
    private let logger: Logger
    /// Notifications of this process to itself; another's must not be taken for them.
    private let heartbeatChannel: String
    private nonisolated let log: Mutex<FollowerLog>
    private nonisolated let state = Mutex(Hearing.connecting)
    private var told: String?
    /// Sessions in a row on which nothing was ever heard.
    private var isSilent = 0
    private static let silentMax = 3

    /// An element whenever it is time to look; several are one to a reader that is slow. One consumer.
    package nonisolated let looks: AsyncStream<Void>
    private nonisolated let look: AsyncStream<Void>.Continuation

    /// An element whenever another process says that it gives the lease up. One consumer.
    package nonisolated let leaseReleases: AsyncStream<Void>
    private nonisolated let leaseReleased: AsyncStream<Void>.Continuation

    // A thread of its own: a heartbeat must not wait behind the decoding of a million rows.
    private static let executor = PollExecutor(name: "ledger-tail")

    package init(
        configuration: PostgresConfiguration, replica: UUID128,
        limits: FollowerLog.Limits = .init(), logger: Logger
    ) {
        var configuration = configuration
        configuration.applicationName += " tail"
        self.configuration = configuration
        self.logger = logger
        heartbeatChannel = "target_ledger_tail_\(replica)"
        log = Mutex(FollowerLog(limits: limits))
        (leaseReleases, leaseReleased) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (looks, look) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package nonisolated var hearing: Hearing { state.withLock(\.self) }

    /// Asks or tells the follower's place in the log.
    package nonisolated func withLog<T: Sendable>(_ body: (inout FollowerLog) -> T) -> T { log.withLock { body(&$0) } }

    /// Listens and polls until cancelled.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.poll() }
            group.addTask { try await self.listen() }
            // Where nothing can be listened to, that one ends at once.
            try await group.next()
            try await group.next()
            group.cancelAll()
        }
    }

    // MARK: Polling

    private func poll() async throws {
        while true {
            lookIfDue()
            let next = log.withLock { $0.nextLook(now: .now) }
            try await Task.sleep(until: next, tolerance: .milliseconds(10), clock: .continuous)
        }
    }

    private func lookIfDue() {
        let isDue = log.withLock { log in
            guard log.isLookDue(now: .now) else { return false }
            log.looked(now: .now)
            return true
        }
        if isDue { look.yield() }
    }

    // MARK: Listening

    private func listen() async throws {
        var pause = Duration.milliseconds(100)
        while true {
            do {
                if isSilent >= Self.silentMax { return pollOnly("nothing that a session notifies itself arrives") }
                if case .pooled(let reason) = try await SessionProfile.find(configuration, logger: logger) {
                    return pollOnly(reason)
                }
                let connection = try await open()
                pause = .milliseconds(100)
                let outcome: Result<Void, any Error>
                do { outcome = .success(try await hear(connection)) } catch { outcome = .failure(error) }
                await connection.close()
                notListening()
                try outcome.get()
            } catch let error where error is PostgresError || error is LedgerError {
                try Task.checkCancellation()
                tell("nobody listens for revisions; they are polled for until somebody does", "\(error)")
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(5))
            }
        }
    }

    private func open() async throws -> PostgresConnection {
        let connection = try await PostgresConnection.connect(configuration, logger: logger, executor: Self.executor)
        do {
            for channel in [LedgerWriter.channel, Self.leaseChannel, heartbeatChannel] {
                try await connection.listen(channel, deadline: .now + .seconds(5))
            }
        } catch {
            await connection.close()
            throw error
        }
        log.withLock { $0.listening(now: .now) }
        state.withLock { $0 = .listening }
        lookIfDue()
        if told != nil { logger.notice("revisions are listened for again") }
        told = nil
        return connection
    }

    private func pollOnly(_ reason: String) {
        state.withLock { $0 = .pollingOnly(reason: reason) }
        logger.notice(
            """
            the database is reached through a pooler that hands each transaction to another session: revisions are polled \
            for every second instead of listened for, nothing is prepared under a name, and settings are made for one \
            transaction each
            """, metadata: ["reason": "\(reason)"])
    }

    private func notListening() {
        log.withLock { $0.notListening() }
        state.withLock { $0 = .connecting }
    }

    /// Until the session is dead or this task is cancelled.
    private func hear(_ connection: PostgresConnection) async throws {
        while true {
            switch log.withLock({ $0.sessionDue(now: .now) }) {
            case .replaceSession?:
                tell("the listening session is dead and is replaced", "its own notification did not come back")
                isSilent += 1
                return
            case .heartbeat?:
                log.withLock { $0.heartbeatSent(now: .now) }
                let patience = log.withLock { $0.limits.heartbeatPatience }
                try await connection.execute("SELECT pg_notify(\(heartbeatChannel), '')", deadline: .now + patience)
            case .read?, nil: break
            }
            let next = log.withLock { $0.nextSessionDue(now: .now) }
            guard let notification = try await connection.nextNotification(deadline: next) else { continue }
            switch notification.channel {
            case heartbeatChannel:
                isSilent = 0
                log.withLock { $0.heartbeatHeard(now: .now) }
            case Self.leaseChannel: leaseReleased.yield()
            default:
                log.withLock { $0.told(of: Int64(notification.payload)) }
                lookIfDue()
            }
        }
    }

    private func tell(_ message: Logger.Message, _ reason: String) {
        guard told != reason else { return }
        told = reason
        logger.warning(message, metadata: ["reason": "\(reason)"])
    }
}
