//
// PlainServer+Faults.swift: a server that is killed, takes no writes, and has a standby that streams from it.
//

import Foundation
import Glibc

extension PlainServer {
    /// SIGKILL to the postmaster, as the kernel does when memory runs out.
    func crash() {
        guard let text = try? String(contentsOfFile: folder + "/data/postmaster.pid", encoding: .utf8),
            let postmaster = text.split(separator: "\n").first.flatMap({ Int32($0) })
        else { return }
        kill(postmaster, SIGKILL)
    }

    /// Starts it when its last processes are gone.
    func startAgain() throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            do {
                return try start()
            } catch  where ContinuousClock.now < deadline {
                // What is left of a server that was killed holds its memory for a moment, and signals nobody.
                usleep(50_000)
            }
        }
    }

    func takeWrites(_ takes: Bool) throws {
        try sql(
            "ALTER DATABASE ledger \(takes ? "RESET" : "SET") default_transaction_read_only\(takes ? "" : " = on"); "
                + "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'ledger'", in: "postgres")
    }

    /// A copy that follows it through a proxy from now on.
    func streamingStandby(through proxy: FaultProxy) throws -> PlainServer {
        proxy.upstream = port
        let copy = try standby()
        try copy.settings("primary_conninfo = 'host=127.0.0.1 port=\(proxy.port) user=\(Self.user)'\n")
        try copy.start()
        return copy
    }

    /// Makes a standby that runs the primary.
    func promoteRunning() throws { try Self.run("pg_ctl", "-D", folder + "/data", "-w", "-t", "60", "promote") }
}
