import PostgresDriver
import Testing

@testable import AllocationLedger

/// Goal: only equal results are folded into one row; an error is never an empty result.
@Suite struct OpenRunTests {
    private static func report(
        succeeded: Bool = true, targets: Int = 3, added: Int = 0, removed: Int = 0, error: String? = nil
    ) -> DiscoveryReportDraft {
        DiscoveryReportDraft(
            job: "shop", provider: "http", source: "http://a", succeeded: succeeded, targets: targets, added: added,
            removed: removed, error: error, durationSeconds: 1, at: Timestamp(microsecondsSince1970: 1))
    }

    private static func run(_ report: DiscoveryReportDraft) -> OpenRun {
        OpenRun(firstAt: report.at, rounds: 1, report: report, revision: 1)
    }

    @Test("The same again goes on, whatever the first round added")
    func same() {
        #expect(Self.run(Self.report(added: 3)).isContinued(by: Self.report()))
        let failed = Self.report(succeeded: false, error: "status 500")
        #expect(Self.run(failed).isContinued(by: failed))
    }

    @Test(
        "Anything else begins a run",
        arguments: [
            report(targets: 4), report(added: 1), report(removed: 1), report(succeeded: false, error: "status 500"),
            report(succeeded: false, targets: 3), report(error: "a warning"),
        ])
    func other(next: DiscoveryReportDraft) { #expect(!Self.run(Self.report()).isContinued(by: next)) }

    @Test("A failure with another error, and success without targets after it, are runs of their own")
    func failures() {
        let failed = Self.report(succeeded: false, targets: 0, error: "status 500")
        #expect(!Self.run(failed).isContinued(by: Self.report(succeeded: false, targets: 0, error: "status 503")))
        #expect(!Self.run(failed).isContinued(by: Self.report(targets: 0)))
        #expect(!Self.run(Self.report(targets: 0)).isContinued(by: failed))
    }
}
