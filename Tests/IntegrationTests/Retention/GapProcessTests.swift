//
// GapProcessTests.swift: the real process is stopped, killed and cut off; each time the record says from when to when.
//

import Foundation
import Testing

/// Goal: a period in which nothing could be recorded is itself recorded, with bounds and cause, before anything else of the
/// term is; and a restart changes nothing that collectors are told.
///
/// Method: the real executable on a private cluster, read with psql. Bounds are compared with the test's own clock, which
/// is the server's.
@ProcessTests @Suite struct GapProcessTests {
    private static let jobs = "    - {job_name: shop, static_configs: [{targets: ['a:1', 'b:1', 'c:1', 'd:1']}]}"

    @Test("A stop, a kill and a database that goes away each leave their gap")
    func gaps() throws {
        let process = try AllocatorProcess(jobs: Self.jobs, ledger: "  collectors: {static: [one, two]}")
        try process.start()
        try process.wait(for: "/jobs/shop/targets") { $0.text.contains("d:1") }
        let ledger = LedgerInspection(process: process)
        #expect(try ledger.value("SELECT count(*) FROM ledger.gap") == "0")
        let bodies = try answers(process)

        let stoppedAt = Date.now
        #expect(process.stop() == 0)
        try restart(process, ledger, gaps: 1)
        try check(ledger, cause: "stopped", from: stoppedAt, detail: "ended: stopped")
        #expect(try answers(process) == bodies)

        let killedAt = Date.now
        process.kill()
        try restart(process, ledger, gaps: 2)
        // The lease was last renewed at most a second before, and that is when recording was last certain.
        try check(ledger, cause: "crashed", from: killedAt, slack: 3, detail: "ended: process ended without giving up")
        #expect(try answers(process) == bodies)

        let lostAt = Date.now
        process.killPostgres()
        try wait(process, ledger, gaps: 3)
        // Within the term, or at the start of the next one where the server took longer than the lease.
        try check(
            ledger, cause: "database_outage", from: lostAt, slack: 3,
            detail: "the database cannot be reached", or: "ended: lease expired")
        #expect(try answers(process) == bodies)

        // Every term but the first begins with its own revision, which is bound into the chain like any other.
        let begun = try ledger.rows(
            "SELECT epoch, cause_detail FROM ledger.revision WHERE cause = 'term_start' ORDER BY epoch")
        #expect(begun.count >= 2)
        let firsts = try ledger.value(
            """
            SELECT count(*) FROM ledger.revision v WHERE cause = 'term_start' \
            AND EXISTS (SELECT FROM ledger.revision b WHERE b.epoch = v.epoch AND b.revision < v.revision)
            """)
        #expect(firsts == "0")
        let stated = try ledger.value(
            """
            SELECT bool_and(v.cause_detail LIKE '%gap %' || g.cause || ': ' || g.detail) FROM ledger.gap g \
            JOIN ledger.revision v USING (revision)
            """)
        #expect(stated == "t")
        #expect(
            try ledger.value(
                "SELECT sum(target_events + collector_events) FROM ledger.revision WHERE cause <> 'bootstrap' AND cause <> 'membership' AND cause <> 'discovery'"
            ) == "0")
        let verified = try process.run(["verify"])
        #expect(verified.status == 0, "\(verified.output) \(verified.errors)")
        let report = try process.run(["report", "--since", "1h"])
        for cause in ["stopped", "crashed", "database_outage"] {
            #expect(report.output.replacing("\\_", with: "_").contains(cause), "\(report.output)")
        }
        process.stop()
    }

    private func answers(_ process: AllocatorProcess) throws -> [[UInt8]] {
        try ["one", "two"].map { try process.targets(job: "shop", collector: $0).body }
    }

    private func restart(_ process: AllocatorProcess, _ ledger: LedgerInspection, gaps: Int) throws {
        try process.start()
        try process.wait()
        try wait(process, ledger, gaps: gaps)
    }

    private func wait(_ process: AllocatorProcess, _ ledger: LedgerInspection, gaps: Int) throws {
        let deadline = Date.now.addingTimeInterval(60)
        while (try? ledger.value("SELECT count(*) FROM ledger.gap")).flatMap({ Int($0) }) ?? 0 < gaps {
            guard Date.now < deadline, process.isRunning else {
                throw AllocatorProcess.Failure(description: "no gap \(gaps) was recorded:\n\(process.log.suffix(4000))")
            }
            // Another process cannot signal this one.
            usleep(20_000)
        }
    }

    private func check(
        _ ledger: LedgerInspection, cause: String, from: Date, slack: Double = 1, detail: String,
        or other: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let row = try #require(
            try ledger.rows(
                """
                SELECT cause, extract(epoch FROM from_at), extract(epoch FROM to_at), detail FROM ledger.gap \
                ORDER BY revision DESC LIMIT 1
                """
            ).first, sourceLocation: sourceLocation)
        #expect(row[0] == cause, sourceLocation: sourceLocation)
        let (began, ended) = (try #require(Double(row[1])), try #require(Double(row[2])))
        #expect(abs(began - from.timeIntervalSince1970) <= slack + 2, "\(row)", sourceLocation: sourceLocation)
        #expect(began < ended && ended <= Date.now.timeIntervalSince1970 + 1, "\(row)", sourceLocation: sourceLocation)
        let details = [detail, other].compactMap(\.self)
        #expect(details.contains { row[3].contains($0) }, "\(row)", sourceLocation: sourceLocation)
    }

    @Test("A running leader does what a command asks for; a command alone does it itself")
    func requests() throws {
        let process = try AllocatorProcess(jobs: Self.jobs, ledger: "  collectors: {static: [one, two]}")
        try process.start()
        try process.wait(for: "/jobs/shop/targets") { $0.text.contains("d:1") }
        let ledger = LedgerInspection(process: process)
        let before = try process.targets(job: "shop", collector: "one")
        let held = try process.run(["retention", "hold", "--since", "2h", "--reason", "case 7"])
        #expect(held.status == 0, "\(held.errors)")
        let hold = try ledger.value("SELECT max(hold) FROM ledger.legal_hold")
        #expect(held.output.hasPrefix("hold \(hold) keeps what is from "))
        // By the leader, in its term, and served under the new number with the same bytes.
        #expect(try ledger.value("SELECT max(epoch) FROM ledger.term") == "1")
        try process.wait(for: "/jobs/shop/targets?collector_id=one") { $0.revision == Int(hold) }
        #expect(try process.targets(job: "shop", collector: "one").body == before.body)
        let again = try process.run(["retention", "release", "99", "--reason", "none"])
        #expect(again.status == 1)
        #expect(again.errors == "target-ledger: there is no hold 99, or it is released already\n")
        let status = try process.run(["retention", "status", "--output", "csv"])
        #expect(
            status.output.split(separator: "\r\n").contains { $0.contains(",open,,[\(hold)],") }, "\(status.output)")
        process.stop()

        // Nobody leads: the command takes a term of its own, and says what it found.
        let released = try process.run(["retention", "release", hold, "--reason", "closed"])
        #expect(released.status == 0, "\(released.errors)")
        #expect(released.output.hasPrefix("hold \(hold) is released by revision "))
        let nothing = try process.run(["retention", "drop"])
        #expect(nothing.output == "nothing to drop\n")
        let plan = try process.run(["retention", "drop", "--dry-run", "--before", "2999-01-01"])
        #expect(plan.status == 0 && plan.output.contains("it is not sealed"), "\(plan.output)")
        let verified = try process.run(["verify"])
        #expect(verified.status == 0, "\(verified.output) \(verified.errors)")
        try process.start()
        try process.wait()
        #expect(try process.targets(job: "shop", collector: "one").body == before.body)
        #expect(try ledger.value("SELECT count(*) FROM ledger.hold_release") == "1")
        process.stop()
    }
}
