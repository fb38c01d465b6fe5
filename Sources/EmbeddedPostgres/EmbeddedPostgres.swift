//
// EmbeddedPostgres.swift: a private PostgreSQL cluster that starts and stops with this process.
//
// It is the default when no database is named. The server listens on a Unix socket in a folder that only its user may
// enter; whoever may is let in, so there is no password to keep. If the server dies while this process lives, it is
// started again; if this process dies, the kernel tells the server to stop.
//

import Glibc
import Logging
import Synchronization

/// A running private cluster. One per folder and process.
package final class EmbeddedPostgres: Sendable {
    /// The folder of the whole cluster, with every link resolved.
    package let folder: String
    private let life: ServerLife
    private let supervisor: Supervisor

    /// Makes the cluster if it is new, recovers it if it must be, and waits until its server takes sessions.
    package static func start(
        _ configuration: EmbeddedPostgresConfiguration, logger: Logger
    ) async throws(EmbeddedPostgresError) -> EmbeddedPostgres {
        let life = ServerLife()
        let supervisor = Supervisor(configuration, logger: logger, observer: life)
        supervisor.start()
        let result = await withTaskCancellationHandler {
            await life.start()
        } onCancel: {
            supervisor.stop()
        }
        return EmbeddedPostgres(folder: try result.get(), life, supervisor)
    }

    private init(folder: String, _ life: ServerLife, _ supervisor: Supervisor) {
        self.folder = folder
        self.life = life
        self.supervisor = supervisor
    }

    /// For libpq: the socket's folder, the user, the ledger's database.
    package var connectionString: String { connectionString(database: EmbeddedPostgresConfiguration.database) }

    package func connectionString(database: String) -> String {
        Self.connectionString(folder: folder, database: database)
    }

    /// The same for a cluster that another process runs.
    ///
    /// - Parameter folder: The folder of the whole cluster, absolute.
    package static func connectionString(
        folder: String, database: String = EmbeddedPostgresConfiguration.database
    ) -> String {
        let quoted = (folder + "/socket").flatMap { $0 == "\\" || $0 == "'" ? ["\\", $0] : [$0] }
        return "host='\(String(quoted))' port=5432 user=\(EmbeddedPostgresConfiguration.user) dbname=\(database)"
    }

    /// The server's process; 0 while there is none.
    package var serverPID: pid_t { life.serverPID }

    /// How often the server died unasked and was started again.
    package var restartCount: Int { life.restartCount }

    /// Stops the server and waits for it. What is under way is rolled back.
    package func stop() async {
        supervisor.stop()
        _ = await life.end()
    }

    /// Waits until the server is gone for good, which only ``stop()`` brings about: one that dies is started again,
    /// for as long as that takes.
    /// - Returns: Why, in words.
    package func waitUntilExit() async -> String { await life.end() }
}

/// What is known of the server, and who waits for news of it.
///
///     starting ──▶ running ◀──▶ gone
///         └───────────┴──▶ ended ◀─┘
private final class ServerLife: Supervisor.Observer {
    private enum State {
        /// Not up yet. Can transition to: running, ended.
        case starting
        /// Takes sessions. Can transition to: gone, ended.
        case running(serverPID: pid_t)
        /// Died, is being restarted. Can transition to: running, ended.
        case gone
        /// The server is stopped and the folder free. Final.
        case ended(String)
    }

    private typealias Started = Result<String, EmbeddedPostgresError>

    private struct Guarded {
        var state = State.starting
        var restartCount = 0
        /// The outcome of the start, once there is one.
        var started: Started?
        var waitingForStart: [CheckedContinuation<Started, Never>] = []
        var waitingForEnd: [CheckedContinuation<String, Never>] = []

        /// Notes the first outcome, and hands out who waits for it.
        mutating func settleStart(_ outcome: Started) -> [CheckedContinuation<Started, Never>] {
            guard started == nil else { return [] }
            started = outcome
            defer { waitingForStart = [] }
            return waitingForStart
        }
    }

    private let guarded = Mutex(Guarded())

    var serverPID: pid_t {
        guarded.withLock { if case .running(let pid) = $0.state { pid } else { 0 } }
    }

    var restartCount: Int { guarded.withLock { $0.restartCount } }

    func start() async -> Result<String, EmbeddedPostgresError> {
        await withCheckedContinuation { continuation in
            let known = guarded.withLock { guarded in
                if guarded.started == nil { guarded.waitingForStart.append(continuation) }
                return guarded.started
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    func end() async -> String {
        await withCheckedContinuation { continuation in
            let known: String? = guarded.withLock { guarded in
                if case .ended(let reason) = guarded.state { return reason }
                guarded.waitingForEnd.append(continuation)
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    func supervisorDidStart(serverPID: pid_t, folder: StateFolder) {
        let path = folder.path
        let waiting = guarded.withLock { guarded in
            if guarded.started != nil { guarded.restartCount += 1 }
            guarded.state = .running(serverPID: serverPID)
            return guarded.settleStart(.success(path))
        }
        for continuation in waiting { continuation.resume(returning: .success(path)) }
    }

    func supervisorDidLoseServer() { guarded.withLock { $0.state = .gone } }

    func supervisorDidEnd(_ reason: String, error: EmbeddedPostgresError?) {
        let failure = Started.failure(error ?? .stopped)
        let (starts, ends) = guarded.withLock { guarded in
            guarded.state = .ended(reason)
            defer { guarded.waitingForEnd = [] }
            return (guarded.settleStart(failure), guarded.waitingForEnd)
        }
        for continuation in starts { continuation.resume(returning: failure) }
        for continuation in ends { continuation.resume(returning: reason) }
    }
}
