import Foundation
import TestSupport
import Testing

/// Goal: of two processes on one database one records; the other says that it waits, serves what is recorded, and takes
/// over when the first is gone.
///
/// Method: two real processes on the tests' server; the first is stopped.
@Suite struct SecondProcessTests {
    private static let jobs = "    - {job_name: shop, static_configs: [{targets: ['a:1', 'b:1', 'c:1', 'd:1']}]}"

    @Test("A second process waits for the lease, says so, serves the same and takes over")
    @ProcessTests func waits() async throws {
        try await TestPostgres.withDatabase { connectionString in
            let ledger = "  collectors: {static: [one, two]}"
            let first = try AllocatorProcess(jobs: Self.jobs, ledger: ledger, database: connectionString)
            try first.start()
            try first.wait(for: "/jobs/shop/targets") { $0.text.contains("d:1") }
            let second = try AllocatorProcess(jobs: Self.jobs, ledger: ledger, database: connectionString)
            try second.start()
            let answer = try second.wait { $0.text.contains("waiting for the lease") }
            #expect(answer.status == 503)
            #expect(answer.text.contains(":\(first.port)"), "it names who holds the lease: \(answer.text)")
            #expect(second.log.contains(#""msg":"waiting for the lease""#))
            // It has read the ledger and answers from it, although no request should be routed to it.
            for collector in ["one", "two"] {
                #expect(
                    try second.targets(job: "shop", collector: collector).body
                        == first.targets(job: "shop", collector: collector).body)
            }
            #expect(first.stop() == 0)
            try second.wait()
            #expect(second.log.contains(#""msg":"holding the lease""#))
            #expect(try second.targets(job: "shop", collector: "one").text.contains("labels"))
            #expect(second.stop() == 0)
        }
    }
}
