//
// RestartFaultTests.swift: kill -9 of the allocator, of PostgreSQL and of both, in the middle of a churn.
//

import AllocationCore
import Foundation
import Testing

/// Goal: whatever is killed, the next start serves exactly the last committed revision, and the record stays whole.
///
/// Method: real processes; 5,000 targets in ten files, 7 collectors; files are rewritten at random, something is
/// killed at a random moment, thirty times; what is served is compared byte for byte with what psql reads. The seed is
/// printed, so that a failure can be looked at again (the kernel's scheduling is not replayed).
@ProcessTests @Suite struct RestartFaultTests {
    enum Victim: CaseIterable { case allocator, postgres, both }

    let collectors = (0..<7).map { "collector-\($0)" }

    @Test("Thirty kills during a churn move nothing, lose nothing and double nothing")
    func kills() throws {
        let seed =
            ProcessInfo.processInfo.environment["FAULT_SEED"].flatMap { UInt64($0) } ?? .random(in: 0..<1_000_000)
        var random = SplitMix(state: seed)
        let process = try AllocatorProcess(
            jobs: "    - {job_name: churn, file_sd_configs: [{files: [targets/*.json]}]}"
                .replacingOccurrences(of: "targets/", with: "FOLDER/targets/"),
            ledger: "  collectors: {static: [\(collectors.joined(separator: ", "))]}")
        try process.write("config.yaml", try config(process))
        for file in 0..<10 { try churn(process, file: file, &random, all: true) }
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("churn") }
        var observed: [String: [Int: [UInt8]]] = [:]
        var comparedAtStart = 0

        for round in 0..<30 {
            let victim = Victim.allCases[round % 3]
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                try churn(process, file: Int.random(in: 0..<10, using: &random), &random)
                // A random moment within the handling of the change, not a wait for anything.
                usleep(UInt32.random(in: 0...40_000, using: &random))
                note(process, &observed)
            }
            strike(process, victim)
            if victim != .postgres { try process.start() }
            try process.wait()
            let first = try collectors.map { try process.targets(job: "churn", collector: $0) }
            for (collector, answer) in zip(collectors, first) {
                #expect(answer.status == 200, "seed \(seed), round \(round), \(victim)")
                let revision = try #require(answer.revision)
                // The new term's first revision changes nothing: what it says has been said under the one before.
                let same = try unchanged(process, since: revision)
                if let before = observed[collector]?.first(where: { (same...revision).contains($0.key) })?.value {
                    let isEqual = before == answer.body
                    #expect(isEqual, "seed \(seed), round \(round): \(collector) differs at \(revision)")
                    comparedAtStart += 1
                }
            }
            try settle(process, &random)
            try compareWithLedger(process, "seed \(seed), round \(round), after \(victim)")
        }
        #expect(comparedAtStart > 20, "too few answers were known from before a kill")
        try checkLedger(process, seed)
        let verified = try process.run(["verify"])
        #expect(verified.status == 0, "\(verified.output) \(verified.errors)")
        #expect(process.stop() == 0, "\(process.log.suffix(2000))")
    }

    private func config(_ process: AllocatorProcess) throws -> String {
        try String(contentsOf: process.folder.appending(path: "config.yaml"), encoding: .utf8)
            .replacingOccurrences(of: "FOLDER", with: process.folder.path())
    }

    /// 500 addresses a file; a churn leaves out a random tenth.
    private func churn(_ process: AllocatorProcess, file: Int, _ random: inout SplitMix, all: Bool = false) throws {
        let addresses = (0..<500).map { "10.0.\(file).\($0 / 200):\(8000 + $0 % 200)" }
            .filter { _ in all || random.next() % 10 != 0 }
        try process.write(
            file: "file-\(file).json", addresses: addresses,
            labels: ["team": "team-\(all ? 0 : random.next() % 3)", "note": "a<b> & \\\"c\\\" é"])
    }

    private func note(_ process: AllocatorProcess, _ observed: inout [String: [Int: [UInt8]]]) {
        for collector in collectors {
            // A kill of PostgreSQL must not show here either: the last revision stays served.
            guard let answer = try? process.targets(job: "churn", collector: collector), let revision = answer.revision
            else { continue }
            if let known = observed[collector]?[revision] {
                let isEqual = known == answer.body
                #expect(isEqual, "two answers for \(collector) at revision \(revision)")
            }
            observed[collector, default: [:]][revision] = answer.body
        }
    }

    /// The last revision up to this one that changed something.
    private func unchanged(_ process: AllocatorProcess, since revision: Int) throws -> Int {
        let question = """
            SELECT max(revision) FROM ledger.revision WHERE revision <= \(revision) \
            AND (target_events > 0 OR collector_events > 0)
            """
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            do {
                return Int(try LedgerInspection(process: process).value(question)) ?? revision
            } catch {
                // Answers come from memory while the server that was killed still recovers.
                guard .now < deadline else { throw error }
                usleep(20_000)
            }
        }
    }

    private func strike(_ process: AllocatorProcess, _ victim: Victim) {
        if victim != .allocator { process.killPostgres() }
        if victim != .postgres { process.kill() }
    }

    /// Waits until a marked target, written now, is served: everything before it is recorded by then.
    private func settle(_ process: AllocatorProcess, _ random: inout SplitMix) throws {
        let marker = "marker-\(random.next())"
        try process.write(file: "marker.json", addresses: [marker + ":1"])
        try process.wait(for: "/jobs/churn/targets", seconds: 90) { $0.text.contains(marker) }
    }

    private func compareWithLedger(_ process: AllocatorProcess, _ context: String) throws {
        let ledger = LedgerInspection(process: process)
        let expected = try ledger.expectedBodies(job: "churn")
        for collector in collectors {
            let served = try process.targets(job: "churn", collector: collector)
            // Only whether they are equal: the two bodies would bury the message.
            let isEqual = served.text == expected[collector] ?? "[]\n"
            #expect(isEqual, "\(context): \(collector) is served something else than the ledger holds")
        }
    }

    private func checkLedger(_ process: AllocatorProcess, _ seed: UInt64) throws {
        let ledger = LedgerInspection(process: process)
        let gaps = try ledger.rows(
            "SELECT count(*), count(DISTINCT revision), max(revision), min(revision) FROM ledger.revision")
        let numbers = try #require(gaps.first)
        #expect(numbers[0] == numbers[1], "double revisions, seed \(seed)")
        #expect(numbers[0] == numbers[2] && numbers[3] == "1", "missing revisions, seed \(seed)")
        let broken = try ledger.value(
            """
            SELECT count(*) FROM (
                SELECT collector_before, label_set_before,
                       lag(collector_after) OVER w AS collector_known, lag(label_set_after) OVER w AS label_set_known,
                       row_number() OVER w AS place
                FROM ledger.target_event WINDOW w AS (PARTITION BY target ORDER BY revision)) AS event
            WHERE (collector_before, label_set_before) IS DISTINCT FROM (collector_known, label_set_known)
            """)
        #expect(broken == "0", "an event's state before is not the state after of the one before it, seed \(seed)")
        let moved = try ledger.value(
            "SELECT count(*) FROM ledger.target_event WHERE collector_before IS NOT NULL AND collector_after IS NOT NULL "
                + "AND collector_before <> collector_after")
        #expect(moved == "0", "targets moved although no collector came or went, seed \(seed)")
    }
}

/// A small generator whose seed can be printed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
