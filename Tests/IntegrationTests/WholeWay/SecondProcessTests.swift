import Foundation
import TestSupport
import Testing

/// Goal: of two processes on one database one records; the other is ready, serves the same, says whom it follows, and
/// leads at once when the first is asked to stop.
///
/// Method: two real processes on the tests' server; the first is stopped.
@Suite struct SecondProcessTests {
    private static let jobs = "    - {job_name: shop, static_configs: [{targets: ['a:1', 'b:1', 'c:1', 'd:1']}]}"

    @Test("A second process follows, says so, is ready, serves the same and takes over")
    @ProcessTests func follows() async throws {
        try await TestPostgres.withDatabase { connectionString in
            let ledger = "  collectors: {static: [one, two]}"
            let first = try AllocatorProcess(jobs: Self.jobs, ledger: ledger, database: connectionString)
            try first.start()
            try first.wait(for: "/jobs/shop/targets") { $0.text.contains("d:1") }
            #expect(try first.wait().text.hasPrefix("ready; leading in epoch 1"))
            let second = try AllocatorProcess(jobs: Self.jobs, ledger: ledger, database: connectionString)
            try second.start()
            let answer = try second.wait { $0.text.contains("; following") }
            #expect(answer.status == 200)
            #expect(answer.text.contains(":\(first.port)"), "it names who leads: \(answer.text)")
            #expect(second.log.contains(#""msg":"following; another process leads""#))
            for collector in ["one", "two"] {
                #expect(
                    try second.targets(job: "shop", collector: collector).body
                        == first.targets(job: "shop", collector: collector).body)
            }
            let replicas = try second.wait(for: "/api/v1/replicas") {
                $0.text.contains(#""state":"leading""#) && $0.text.contains(#""state":"following""#)
            }
            #expect(replicas.text.contains(#""hearing":"listening""#))
            #expect(try second.get("/history/replicas").text.contains(":\(first.port)"))
            let metrics = try second.get("/metrics").text
            for line in [
                #"target_ledger_role{role="following"} 1"#, "target_ledger_epoch 0", "target_ledger_lag_revisions 0",
                "target_ledger_lag_seconds 0", "target_ledger_state_age_seconds ", "target_ledger_listening ",
            ] {
                #expect(metrics.contains(line), "\(line)")
            }
            #expect(try first.get("/metrics").text.contains("target_ledger_epoch 1"))
            #expect(first.stop() == 0)
            try second.wait { $0.text.contains("leading in epoch 2") }
            #expect(second.log.contains(#""msg":"holding the lease""#))
            #expect(!second.log.contains("the whole state is loaded"), "it was at the head already")
            #expect(try second.targets(job: "shop", collector: "one").text.contains("labels"))
            #expect(second.stop() == 0)
        }
    }
}
