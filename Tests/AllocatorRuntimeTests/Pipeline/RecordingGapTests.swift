import AllocationLedger
import PostgresDriver
import Testing

@testable import AllocatorRuntime

/// Goal: each time without recording is stated once, from the last moment of certainty to the recovery.
///
/// Method: instants made up by the test.
@Suite struct RecordingGapTests {
    private func at(_ second: Int64) -> Timestamp { Timestamp(microsecondsSince1970: second * 1_000_000) }

    @Test("A fault opens it at the last moment of certainty; further faults do not move it")
    func fault() {
        var gap = RecordingGap()
        #expect(gap.ended(at: at(5)) == nil)
        gap.failed(certainUntil: at(10), because: "full")
        gap.failed(certainUntil: at(20), because: "away")
        #expect(gap.isOpen)
        #expect(gap.ended(at: at(30)) == Gap(from: at(10), to: at(30), cause: .databaseOutage, detail: "full"))
        #expect(!gap.isOpen && gap.ended(at: at(40)) == nil)
    }

    @Test("What the lease noticed of the same outage is not stated twice")
    func overlap() {
        var gap = RecordingGap()
        gap.failed(certainUntil: at(10), because: "away")
        _ = gap.ended(at: at(30))
        #expect(gap.gap(from: at(9), to: at(29), because: "away") == nil)
        #expect(gap.gap(from: at(9), to: at(33), because: "away")?.from == at(30))
    }

    @Test("A term states what was before it by itself")
    func newTerm() {
        var gap = RecordingGap()
        gap.failed(certainUntil: at(10), because: "away")
        gap.leads()
        gap.beganTerm(at: at(50))
        #expect(!gap.isOpen)
        #expect(gap.gap(from: at(10), to: at(50), because: "away") == nil)
    }

    @Test("A term that cannot record its first revision for a while states that while too")
    func slowStart() {
        var gap = RecordingGap()
        gap.leads()
        gap.failed(certainUntil: at(49), because: "full")
        gap.beganTerm(at: at(50))
        #expect(gap.ended(at: at(70)) == Gap(from: at(50), to: at(70), cause: .databaseOutage, detail: "full"))
    }
}
