//
// Supervisor.swift: the thread that owns the server: starts it, sees it end, starts it again, stops it.
//
// It is a thread and no task for two reasons: what it does blocks (fork, wait, procfs), and the kernel ends the server
// when the *thread* that started it ends (pdeathsig), so that thread must live as long as the process does.
//

import CSys
import Foundation
import Glibc
import Logging

final class Supervisor: Sendable {
    /// What the thread tells others.
    protocol Observer: Sendable {
        func supervisorDidStart(serverPID: pid_t, folder: StateFolder)
        /// The server is gone; another start follows.
        func supervisorDidLoseServer()
        /// Nothing follows. `error` is set when the server never came up.
        func supervisorDidEnd(_ reason: String, error: EmbeddedPostgresError?)
    }

    private let configuration: EmbeddedPostgresConfiguration
    private let logger: Logger
    private let observer: any Observer
    private let interrupt: Int32

    init(_ configuration: EmbeddedPostgresConfiguration, logger: Logger, observer: any Observer) {
        self.configuration = configuration
        self.logger = logger
        self.observer = observer
        interrupt = csys_eventfd_create()
    }

    deinit { close(interrupt) }

    func start() {
        let thread = Thread { [self] in run() }
        thread.name = "postgres-server"
        thread.start()
    }

    /// Asks the thread to stop the server and end. From any thread, any number of times.
    func stop() { csys_eventfd_signal(interrupt) }

    // MARK: The thread

    private func run() {
        // The folder is free again before anyone hears of the end.
        let outcome = Result { () throws(EmbeddedPostgresError) in try serve() }
        switch outcome {
        case .success: observer.supervisorDidEnd("stopped", error: nil)
        case .failure(let error): observer.supervisorDidEnd(error.description, error: error)
        }
    }

    /// Returns once the server was asked to stop and did.
    private func serve() throws(EmbeddedPostgresError) {
        let (folder, binaries) = try prepare()
        var server = try startServer(folder, binaries)
        observer.supervisorDidStart(serverPID: server.pid, folder: folder)
        var backoff = RestartBackoff()
        while true {
            let startedAt = ContinuousClock.now
            guard let status = watch(server, folder) else { return shutDown(server) }
            observer.supervisorDidLoseServer()
            logger.error("PostgreSQL ended unasked: \(status); starting it again")
            if startedAt.duration(to: .now) > .seconds(60) { backoff.reset() }
            guard let next = restart(folder, binaries, &backoff) else { return }
            server = next
            observer.supervisorDidStart(serverPID: server.pid, folder: folder)
            logger.notice("PostgreSQL is up again")
        }
    }

    private func prepare() throws(EmbeddedPostgresError) -> (StateFolder, ServerBinaries) {
        let folder = try StateFolder.open(configuration.dataDirectory)
        let version = try ClusterMaker.version(of: folder)
        let binaries = try ServerBinaries.find(
            configured: configuration.binariesDirectory, clusterVersion: version, cluster: folder.data)
        if version == nil {
            logger.info("making a PostgreSQL \(binaries.majorVersion) cluster in \(folder.path)")
            try ClusterMaker(folder: folder, configuration: configuration, interrupt: interrupt).make(with: binaries)
        }
        return (folder, binaries)
    }

    /// Starts the server and waits until it takes sessions, crash recovery included.
    private func startServer(
        _ folder: StateFolder, _ binaries: ServerBinaries
    ) throws(EmbeddedPostgresError) -> ChildProcess {
        try LeftoverServer(folder: folder).clear()
        let log = try folder.openLog()
        defer { close(log) }
        let logStart = Files.size(folder.log)
        let settings = configuration.settings(socketFolder: folder.socket).sorted { $0.key < $1.key }
        let server = try ChildProcess.start(
            .init(
                path: binaries.postgres,
                arguments: ["-D", folder.data] + settings.flatMap { ["-c", "\($0.key)=\($0.value)"] },
                folder: folder.data, user: folder.user, standardOutput: log, standardError: log,
                parentDeathSignal: SIGINT))
        let deadline = ContinuousClock.now + configuration.startTimeout
        while ContinuousClock.now < deadline {
            if isReady(server.pid, folder) { return server }
            if let status = server.wait(until: .now + .milliseconds(5), interrupt: interrupt) {
                let free = Files.freeBytes(folder.path)
                // Less than one log segment, the most a start may need at once.
                guard free >= 16 << 20 else { throw .diskFull(path: folder.path, freeBytes: free) }
                throw .startFailed(
                    reason: status.description, log: folder.log,
                    logTail: LogTail(path: folder.log, from: logStart).text)
            }
            if isInterrupted {
                shutDown(server)
                throw .stopped
            }
        }
        shutDown(server)
        throw .startTimedOut(
            after: configuration.startTimeout, log: folder.log,
            logTail: LogTail(path: folder.log, from: logStart).text)
    }

    /// The server itself says so, in the eighth line of postmaster.pid; pg_ctl looks there too.
    private func isReady(_ pid: pid_t, _ folder: StateFolder) -> Bool {
        guard let text = Files.text(folder.data + "/postmaster.pid", bytesMax: 1024) else { return false }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.count >= 8 && pid_t(lines[0]) == pid && lines[7].hasPrefix("ready")
    }

    /// Waits for the server's end, and keeps its log small meanwhile. nil: it is to be stopped.
    private func watch(_ server: ChildProcess, _ folder: StateFolder) -> ExitStatus? {
        while true {
            if let status = server.wait(until: .now + .seconds(60), interrupt: interrupt) { return status }
            if isInterrupted { return nil }
            folder.shortenLog()
        }
    }

    /// Tries until the server is up; nil: it is to be stopped.
    private func restart(
        _ folder: StateFolder, _ binaries: ServerBinaries, _ backoff: inout RestartBackoff
    ) -> ChildProcess? {
        while !isInterrupted {
            do throws(EmbeddedPostgresError) {
                return try startServer(folder, binaries)
            } catch .stopped {
                return nil
            } catch {
                let wait = backoff.next()
                logger.error("cannot restart PostgreSQL, trying again in \(wait): \(error)")
                var polled = pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0)
                poll(&polled, 1, Int32(wait / .milliseconds(1)) + 1)
            }
        }
        return nil
    }

    /// SIGINT rolls back what is under way, writes everything out and ends; the stronger signals are for a server that
    /// does not, and leave a recovery to the next start.
    private func shutDown(_ server: ChildProcess) {
        for (signal, patience) in [(SIGINT, 60), (SIGQUIT, 10), (SIGKILL, 10)] {
            server.kill(signal)
            if server.wait(until: .now + .seconds(patience)) != nil { return }
            logger.error("PostgreSQL did not end within \(patience) s of signal \(signal)")
        }
    }

    private var isInterrupted: Bool {
        var polled = pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) > 0
    }
}

/// Waits between attempts to bring the server back: doubling, with jitter.
struct RestartBackoff {
    private var bound = first
    private static let first = 0.1
    private static let limit = 10.0

    mutating func next() -> Duration {
        defer { bound = min(bound * 2, Self.limit) }
        return .seconds(Double.random(in: bound / 2...bound))
    }

    mutating func reset() { bound = Self.first }
}
