//
// PlainServer.swift: PostgreSQL servers of a test's own that can be stopped, frozen, and promoted with commits missing.
//

import Foundation
import Glibc
import TestSupport

/// A server over TCP without a password, run by pg_ctl.
final class PlainServer: Sendable {
    let folder: String
    let port: UInt16
    private var data: String { folder + "/data" }

    static let user = "target_ledger"

    /// Makes a cluster and starts it.
    convenience init() throws {
        try self.init(folder: TestFolder.new(), port: PlainHTTP.freePort())
        try Self.run(
            "initdb", "-D", data, "-U", Self.user, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        try settings(
            "wal_level = replica\nmax_wal_senders = 4\nwal_keep_size = 256MB\nfsync = off\nshared_buffers = 32MB\nautovacuum = off\n"
        )
        try start()
        try sql("CREATE DATABASE ledger", in: "postgres")
    }

    private init(folder: String, port: UInt16) throws {
        self.folder = folder
        self.port = port
        mkdir(folder, 0o755)
        try Self.giveAway(folder)
    }

    deinit {
        freeze(false)
        try? stop()
        TestFolder.remove(folder)
    }

    /// Adds to its settings, for its next start.
    func settings(_ text: String) throws {
        let file = data + "/postgresql.auto.conf"
        let before = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        let all =
            before + "\nlisten_addresses = '127.0.0.1'\nport = \(port)\nunix_socket_directories = '\(folder)'\n" + text
        try all.write(toFile: file, atomically: false, encoding: .utf8)
    }

    /// A copy of it as it is now, which is not started.
    func standby() throws -> PlainServer {
        let copy = try PlainServer(folder: TestFolder.new(), port: PlainHTTP.freePort())
        try Self.run(
            "pg_basebackup", "-h", "127.0.0.1", "-p", "\(port)", "-U", Self.user, "-D", copy.data, "-X", "stream",
            "--checkpoint=fast", "--no-sync", "-R")
        try copy.settings("")
        return copy
    }

    // MARK: Life

    func start() throws { try Self.run("pg_ctl", "-D", data, "-l", folder + "/log", "-w", "-t", "60", "start") }

    /// At once, as a crash.
    func stop() throws { try Self.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop") }

    /// Makes a standby a server that takes writes, on a timeline of its own.
    func promote() throws {
        try start()
        try Self.run("pg_ctl", "-D", data, "-w", "-t", "60", "promote")
    }

    /// Stops every process of it where it is, or lets all go on. The kernel still answers for its sockets.
    func freeze(_ isFrozen: Bool) {
        guard let text = try? String(contentsOfFile: data + "/postmaster.pid", encoding: .utf8),
            let postmaster = text.split(separator: "\n").first.flatMap({ Int32($0) })
        else { return }
        let signal = isFrozen ? SIGSTOP : SIGCONT
        kill(postmaster, signal)
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = Int32(name), let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
                let end = stat.lastIndex(of: ")")
            else { continue }
            let fields = stat[end...].split(separator: " ")
            if fields.count > 2, Int32(fields[2]) == postmaster { kill(pid, signal) }
        }
    }

    // MARK: Asking

    /// For one role; several servers are named for a failover.
    func url(_ user: String = PlainServer.user, or other: PlainServer? = nil) -> String {
        let hosts = [self, other].compactMap { $0 }.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        return "postgresql://\(user)@\(hosts)/ledger?target_session_attrs=read-write"
    }

    @discardableResult
    func sql(_ text: String, in database: String = "ledger") throws -> [[String]] {
        try LedgerInspection.psql(host: "127.0.0.1", port: "\(port)", database: database, text)
    }

    func value(_ text: String) throws -> String { try sql(text).first?.first ?? "" }

    // MARK: Programs

    private static let binaries: String = {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let newest = versions.max { (Int($0) ?? 0) < (Int($1) ?? 0) }
        return newest.map { "\(root)/\($0)/bin" } ?? "/usr/bin"
    }()

    /// Runs a program without this process's open files. A server would keep the one by which Foundation sees the end of
    /// a program, and its pg_ctl would never end.
    private static let withoutOpenFiles =
        #"(for file in /proc/$BASHPID/fd/*; do n=${file##*/}; ((n > 2)) && eval "exec $n>&-"; done; exec "$@")"#

    /// The server refuses to run as root.
    static func run(_ program: String, _ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        let command = ["\(binaries)/\(program)"] + arguments
        let user = geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : []
        process.arguments = ["bash", "-c", withoutOpenFiles, "run"] + user + command
        process.currentDirectoryURL = URL(filePath: "/tmp")
        let errors = Pipe()
        process.standardOutput = FileHandle.nullDevice
        // The server keeps what it was started with, so nothing may wait for the end of a pipe.
        process.standardError = program == "pg_ctl" ? FileHandle.nullDevice : errors
        try process.run()
        let complaint =
            program == "pg_ctl"
            ? "" : String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw AllocatorProcess.Failure(description: "\(program) \(arguments): \(complaint)")
        }
    }

    private static func giveAway(_ folder: String) throws {
        guard geteuid() == 0, let user = getpwnam("postgres") else { return }
        chown(folder, user.pointee.pw_uid, user.pointee.pw_gid)
    }
}
