//
// EmbeddedPostgresTests.swift
//

import Foundation
import Glibc
import PostgresDriver
import TestSupport
import Testing

@testable import EmbeddedPostgres

/// Goal: a private cluster comes up from nothing, from a crash and from what a crash leaves behind; what it cannot come
/// up from is told in words that say what to do.
///
/// Method: real clusters in folders of their own, killed, filled and tampered with.
@Suite struct EmbeddedPostgresTests {
    private func withFolder<T>(_ body: (String) async throws -> T) async throws -> T {
        let folder = TestFolder.new()
        defer { TestFolder.remove(folder) }
        return try await body(folder)
    }

    private func start(
        _ folder: String, _ settings: [String: String] = [:],
        _ change: (inout EmbeddedPostgresConfiguration) -> Void = { _ in }
    ) async throws -> EmbeddedPostgres {
        var configuration = TestPostgres.configuration(folder: folder, settings)
        change(&configuration)
        return try await EmbeddedPostgres.start(configuration, logger: TestPostgres.logger)
    }

    /// Starts, expecting it to fail, and hands on why.
    private func failure(
        _ folder: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout EmbeddedPostgresConfiguration) -> Void = { _ in }
    ) async -> EmbeddedPostgresError? {
        do {
            let cluster = try await start(folder, [:], change)
            await cluster.stop()
            Issue.record("it started", sourceLocation: sourceLocation)
        } catch let error as EmbeddedPostgresError {
            return error
        } catch {
            Issue.record(error, sourceLocation: sourceLocation)
        }
        return nil
    }

    private func withSession<T: Sendable>(
        _ cluster: EmbeddedPostgres, _ body: (PostgresConnection) async throws -> T
    ) async throws -> T {
        let pool = PostgresPool(
            try PostgresConfiguration(connectionString: cluster.connectionString), size: 1, logger: TestPostgres.logger)
        let value = try await pool.withConnection(deadline: .now + .seconds(60), body)
        await pool.close()
        return value
    }

    // MARK: Coming up

    @Test("A new cluster is private, has checksums and the ledger's database, and listens on its socket alone")
    func new() async throws {
        try await withFolder { folder in
            let cluster = try await start(folder)
            let row = try await withSession(cluster) { connection in
                try await connection.query(
                    """
                    SELECT current_database(), current_user, current_setting('data_checksums'),
                        current_setting('listen_addresses'), current_setting('server_encoding'),
                        current_setting('TimeZone')
                    """)[0]
            }
            let values = try (0..<6).map { try row.decode($0, as: String.self) }
            #expect(values == ["target_ledger", "target_ledger", "on", "", "UTF8", "UTC"])
            for path in [folder, "\(folder)/data", "\(folder)/socket"] {
                #expect(try Self.attribute(.posixPermissions, path) & 0o777 == 0o700, "\(path)")
            }
            #expect(try Self.attribute(.ownerAccountID, "/proc/\(cluster.serverPID)") != 0)
            await cluster.stop()
            #expect(cluster.serverPID == 0)
            #expect(await cluster.waitUntilExit() == "stopped")
        }
    }

    @Test("Stopped and started again, it holds what was committed")
    func again() async throws {
        try await withFolder { folder in
            let first = try await start(folder)
            try await withSession(first) { connection in
                _ = try await connection.execute("CREATE TABLE t AS SELECT 42 AS n")
            }
            await first.stop()
            let second = try await start(folder)
            try await withSession(second) { connection async throws in
                #expect(try await connection.query("SELECT n FROM t")[0].decode(0, as: Int.self) == 42)
            }
            await second.stop()
        }
    }

    @Test("A path with spaces, quotes and backslashes works")
    func oddPath() async throws {
        try await withFolder { folder in
            let cluster = try await start(folder + "/it's a \\ folder")
            #expect(try await withSession(cluster) { try await $0.query("SELECT 1").count } == 1)
            await cluster.stop()
        }
    }

    @Test("What an interrupted initdb left is thrown away")
    func halfMade() async throws {
        try await withFolder { folder in
            try FileManager.default.createDirectory(
                atPath: folder + "/data.tmp/base", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            let cluster = try await start(folder)
            #expect(!FileManager.default.fileExists(atPath: folder + "/data.tmp"))
            await cluster.stop()
        }
    }

    @Test("A cancelled start ends, and leaves the folder free")
    func cancelled() async throws {
        try await withFolder { folder in
            let task = Task { try await start(folder) }
            task.cancel()
            let result = await task.result
            #expect(throws: EmbeddedPostgresError.stopped) { try result.get() }
            await (try start(folder)).stop()
        }
    }

    // MARK: Crashes

    @Test("Killed -9 with statements under way, the server is started again and holds what was committed")
    func serverKilled() async throws {
        try await withFolder { folder in
            let cluster = try await start(folder)
            let session = try await TestPostgres.connect(cluster.connectionString)
            try await session.execute("CREATE TABLE t AS SELECT 42 AS n")
            let running = Task { try await session.execute("SELECT pg_sleep(60)") }
            let first = cluster.serverPID
            kill(first, SIGKILL)
            await expect(.connectionLost) { _ = try await running.value }
            try await withSession(cluster) { connection async throws in
                #expect(try await connection.query("SELECT n FROM t")[0].decode(0, as: Int.self) == 42)
            }
            #expect(cluster.serverPID != first && cluster.serverPID != 0 && cluster.restartCount == 1)
            await cluster.stop()
        }
    }

    @Test("A postmaster.pid that names a stranger is cleared away, as are a dead server's socket and lock")
    func stalePID() async throws {
        // A live server of the same user, but at work elsewhere: PostgreSQL by itself would refuse to start.
        let stranger = try await TestPostgres.cluster().serverPID
        try await withFolder { folder in
            let first = try await start(folder)
            let pidFile = try String(contentsOfFile: folder + "/data/postmaster.pid", encoding: .utf8)
            await first.stop()
            let lines = pidFile.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
            try (["\(stranger)"] + lines.map(String.init)).joined(separator: "\n")
                .write(toFile: folder + "/data/postmaster.pid", atomically: false, encoding: .utf8)
            for name in [".s.PGSQL.5432", ".s.PGSQL.5432.lock"] {
                try "\(stranger)\n".write(toFile: "\(folder)/socket/\(name)", atomically: false, encoding: .utf8)
            }
            let second = try await start(folder)
            #expect(try await withSession(second) { try await $0.query("SELECT 1").count } == 1)
            await second.stop()
        }
        #expect(kill(stranger, 0) == 0)
    }

    @Test("A server that outlived its owner is stopped, and its cluster taken over")
    func orphan() async throws {
        try await withFolder { folder in
            let first = try await start(folder)
            try await withSession(first) { connection in
                _ = try await connection.execute("CREATE TABLE t AS SELECT 42 AS n")
            }
            let path = first.folder
            await first.stop()
            let orphan = try orphanServer(path)
            let second = try await start(folder)
            #expect(orphan.wait(until: .now + .seconds(30)) == .exited(0))
            try await withSession(second) { connection async throws in
                #expect(try await connection.query("SELECT n FROM t")[0].decode(0, as: Int.self) == 42)
            }
            await second.stop()
        }
    }

    private static func attribute(_ key: FileAttributeKey, _ path: String) throws -> UInt32 {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[key] as? NSNumber, "\(path)").uint32Value
    }

    /// A server in the cluster that no EmbeddedPostgres owns, up to where it has taken the cluster.
    private func orphanServer(_ folder: String) throws -> ChildProcess {
        let binaries = try ServerBinaries.find(configured: nil, clusterVersion: nil, cluster: folder)
        let owner = try Self.attribute(.ownerAccountID, folder + "/data")
        let server = try ChildProcess.start(
            .init(
                path: binaries.postgres,
                arguments: ["-D", folder + "/data", "-k", folder + "/socket", "-c", "listen_addresses="],
                folder: folder + "/data", user: try ServerUser.choose(owner: owner)))
        let end = ContinuousClock.now + .seconds(30)
        while access(folder + "/data/postmaster.pid", F_OK) != 0 && ContinuousClock.now < end {
            try #require(server.wait(until: .now + .milliseconds(5)) == nil)
        }
        return server
    }

    // MARK: What it refuses

    @Test("A folder in use says by whom")
    func locked() async throws {
        try await withFolder { folder in
            let cluster = try await start(folder)
            let error = await failure(folder)
            #expect(error == .lockedByOther(path: cluster.folder, pid: getpid()))
            await cluster.stop()
        }
    }

    @Test("A cluster of another major version names the package that fits")
    func otherVersion() async throws {
        try await withFolder { folder in
            await (try start(folder)).stop()
            try "99\n".write(toFile: folder + "/data/PG_VERSION", atomically: false, encoding: .utf8)
            let error = await failure(folder)
            guard case .wrongMajorVersion(_, found: 99, let servers) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(!servers.isEmpty && error?.description.contains("install postgresql-99") == true)
        }
    }

    @Test("Missing programs name Debian's package; old ones are refused by their version")
    func binaries() async throws {
        try await withFolder { folder in
            let missing = await failure(folder) { $0.binariesDirectory = "/nonexistent" }
            #expect(missing == .binariesMissing(searched: ["/nonexistent"]))
            #expect(missing?.description.contains("apt-get install postgresql") == true)

            let bin = folder + ".bin"
            defer { TestFolder.remove(bin) }
            try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
            for name in ["postgres", "initdb"] {
                try "#!/bin/sh\necho 'postgres (PostgreSQL) 12.3 (Debian)'\n"
                    .write(toFile: "\(bin)/\(name)", atomically: true, encoding: .utf8)
                chmod("\(bin)/\(name)", 0o755)
            }
            #expect(
                await failure(folder) { $0.binariesDirectory = bin }
                    == .serverTooOld(folder: bin, majorVersion: 12))
        }
    }

    @Test("A folder that others may enter, or that holds something else, is left alone")
    func foreignFolder() async throws {
        try await withFolder { folder in
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
            try "x".write(toFile: folder + "/something", atomically: true, encoding: .utf8)
            #expect(await failure(folder) == .folderNotPrivate(path: folder, mode: 0o755))
            chmod(folder, 0o700)
            mkdir(folder + "/data", 0o700)
            try "x".write(toFile: folder + "/data/something", atomically: true, encoding: .utf8)
            #expect(await failure(folder) == .notACluster(folder: folder + "/data"))
            #expect(await failure(folder + "/something") == .notAFolder(path: folder + "/something"))
            #expect(try String(contentsOfFile: folder + "/data/something", encoding: .utf8) == "x")
        }
    }

    @Test("A folder above that the server's user may not pass is named")
    func parent() async throws {
        try await withFolder { folder in
            mkdir(folder, geteuid() == 0 ? 0o700 : 0)
            defer { chmod(folder, 0o700) }
            let error = await failure(folder + "/cluster")
            switch error {
            case .parentNotSearchable(path: folder, _): #expect(geteuid() == 0)
            case .system(_, _, errno: EACCES): #expect(geteuid() != 0)
            default: Issue.record("\(String(describing: error))")
            }
        }
    }

    @Test("A path too long for a socket is refused before anything is made")
    func longPath() async throws {
        try await withFolder { folder in
            let long = folder + "/" + String(repeating: "x", count: 90)
            guard case .socketPathTooLong(_, let bytes) = await failure(long) else {
                Issue.record("it was not refused for its length")
                return
            }
            #expect(bytes > 107 && !FileManager.default.fileExists(atPath: long))
        }
    }

    @Test("Too little room for a new cluster is said before it is made")
    func noRoom() async throws {
        try await withFolder { folder in
            guard case .diskFull = await failure(folder, { $0.freeBytesMin = .max }) else {
                Issue.record("the disk was not found too small")
                return
            }
            #expect(!FileManager.default.fileExists(atPath: folder + "/data"))
        }
    }

    @Test("A disk that is full when the server starts is told from other failures; with room again, all is there")
    func diskFull() async throws {
        try await withFolder { folder in
            try await withSmallDisk(at: folder) {
                let first = try await start(folder + "/c")
                try await withSession(first) { connection in
                    _ = try await connection.execute("CREATE TABLE t AS SELECT 42 AS n")
                }
                kill(first.serverPID, SIGSTOP)
                try fill(folder + "/filler")
                // Restarted on a full disk, again and again, until there is room.
                kill(first.serverPID, SIGKILL)
                guard case .diskFull = await failure(folder + "/other", { $0.freeBytesMin = 0 }) else {
                    Issue.record("the disk was not found full")
                    return
                }
                unlink(folder + "/filler")
                try await withSession(first) { connection async throws in
                    #expect(try await connection.query("SELECT n FROM t")[0].decode(0, as: Int.self) == 42)
                }
                await first.stop()
            }
        }
    }

    /// A disk of 160 MB where the system lets this process mount one; else the body is not run, and `noRoom` alone
    /// covers a full disk.
    private func withSmallDisk(at folder: String, _ body: () async throws -> Void) async throws {
        mkdir(folder, 0o755)
        guard geteuid() == 0, run("/bin/mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs", folder) else {
            return
        }
        defer { _ = run("/bin/umount", "-l", folder) }
        try await body()
    }

    private func run(_ path: String, _ arguments: String...) -> Bool {
        guard let child = try? ChildProcess.start(.init(path: path, arguments: arguments)) else { return false }
        return child.wait(until: .now + .seconds(30)) == .exited(0)
    }

    private func fill(_ path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        let block = [UInt8](repeating: 0, count: 1 << 16)
        while write(file, block, block.count) > 0 {}
    }

    @Test("A setting that the server refuses is a failed start, with the end of its log")
    func badSetting() async throws {
        try await withFolder { folder in
            let error = await failure(folder) { $0.extraSettings["shared_buffers"] = "nonsense" }
            guard case .startFailed(_, let log, let tail) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(log == folder + "/postgres.log" && tail.contains("shared_buffers"))
        }
    }

    @Test("A server that does not come up in time is stopped")
    func timeout() async throws {
        try await withFolder { folder in
            await (try start(folder)).stop()
            guard case .startTimedOut = await failure(folder, { $0.startTimeout = .zero }) else {
                Issue.record("it did not time out")
                return
            }
            await (try start(folder)).stop()
        }
    }
}
