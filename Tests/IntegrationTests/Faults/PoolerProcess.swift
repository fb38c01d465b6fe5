//
// PoolerProcess.swift: PgBouncer in transaction mode that can be killed, frozen, and started again on its port.
//

import Foundation
import Glibc
import Synchronization

/// One PgBouncer before one server.
final class PoolerProcess: Sendable {
    let port: UInt16
    private let folder: URL
    private let process = Mutex<Process?>(nil)

    init(before server: PlainServer) throws {
        port = try PlainHTTP.freePort()
        folder = FileManager.default.temporaryDirectory.appending(path: "pooler-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        chmod(folder.path(), 0o777)
        let text = """
            [databases]
            ledger = host=127.0.0.1 port=\(server.port) user=\(PlainServer.user) dbname=ledger
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = 6
            max_client_conn = 200
            server_login_retry = 1
            logfile = \(folder.path())/log
            """
        try text.write(to: folder.appending(path: "pgbouncer.ini"), atomically: true, encoding: .utf8)
        try start()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: folder)
    }

    func start() throws {
        let next = Process()
        next.executableURL = URL(filePath: "/usr/bin/env")
        // It refuses to run as root.
        next.arguments =
            (geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : [])
            + ["/usr/sbin/pgbouncer", "-q", folder.appending(path: "pgbouncer.ini").path()]
        next.standardError = FileHandle.nullDevice
        try next.run()
        process.withLock { $0 = next }
    }

    func kill() {
        guard let process = process.withLock({ $0 }), process.isRunning else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    func freeze(_ isFrozen: Bool) {
        guard let process = process.withLock({ $0 }), process.isRunning else { return }
        Glibc.kill(process.processIdentifier, isFrozen ? SIGSTOP : SIGCONT)
    }
}
