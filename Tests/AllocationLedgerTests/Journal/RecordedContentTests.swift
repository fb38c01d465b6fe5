import AllocationCore
import Testing

@testable import AllocationLedger

/// Goal: what a journal or a state file keeps of a change is read back as the same change, in another process too.
@Suite struct RecordedContentTests {
    private let table = LabelTable()

    private func state(_ labels: [String: String], _ collector: Int32?) -> TargetState {
        TargetState(
            labels: LabelSet(labels, in: table), address: labels["__address__"].map { table.intern("__address__", $0) },
            collector: collector.map { CollectorNumber(rawValue: $0) })
    }

    private var change: AllocationChange {
        AllocationChange(
            targets: [
                TargetChange(
                    job: JobNumber(rawValue: 2), identity: TargetIdentity(rawValue: .max), before: nil,
                    after: state(["__address__": "a:1", "team": "é"], 1), reason: .discovered),
                TargetChange(
                    job: JobNumber(rawValue: 0), identity: TargetIdentity(rawValue: 7),
                    before: state(["__address__": "b:1"], 1), after: state(["__address__": "b:1"], nil),
                    reason: .noCollector),
                TargetChange(
                    job: JobNumber(rawValue: 0), identity: TargetIdentity(rawValue: 8), before: state([:], 3),
                    after: nil,
                    reason: .vanished),
                TargetChange(
                    job: JobNumber(rawValue: 0), identity: TargetIdentity(rawValue: 9),
                    before: state(["__address__": "c:1", "x": "1"], 3),
                    after: state(["__address__": "c:1", "x": "2"], 3), reason: .labelsChanged),
            ],
            collectors: [
                CollectorChange(kind: .left, collector: CollectorNumber(rawValue: 1), evidence: "static list"),
                CollectorChange(kind: .joined, collector: CollectorNumber(rawValue: 3), evidence: "file"),
            ],
            jobs: ["web", "unused", "db"],
            collectorTable: [
                Collector(name: "zero"), Collector(name: "one", nodeName: "n1"), Collector(name: "two"),
                Collector(name: "three", uid: "u"),
            ],
            placement: Placement(
                strategy: "consistent-hashing", ringVersion: "v1", members: ["one", "three"],
                partitionOwners: [0, 1, 300], note: nil))
    }

    /// By names, so that numbers do not matter.
    private func text(_ change: AllocationChange, _ table: LabelTable) -> [String] {
        func text(_ state: TargetState?) -> String {
            guard let state else { return "-" }
            let labels = state.labels.dictionary(in: table).sorted { $0.key < $1.key }
            let collector = state.collector.map { "\(change.collectorTable[Int($0.rawValue)])" } ?? "none"
            return "\(labels) \(state.address.map { table.value($0) } ?? "none") \(collector)"
        }
        return change.targets.map {
            "\(change.jobs[Int($0.job.rawValue)]) \($0.identity.rawValue) \(text($0.before)) → \(text($0.after)) \($0.reason)"
        }
            + change.collectors.map {
                "\($0.kind) \(change.collectorTable[Int($0.collector.rawValue)]) \($0.evidence)"
            } + ["\(change.placement)"]
    }

    @Test("A change is read back")
    func roundTrip() throws {
        let configuration = ConfigurationRecord(redactedText: "{\"a\":1}")
        let bytes = RecordedContent(change: change, configuration: configuration).encoded(in: table)
        let other = LabelTable()
        let read = try #require(RecordedContent(bytes, into: other))
        #expect(text(read.change, other) == text(change, table))
        #expect(read.configuration == configuration)
        #expect(!read.change.jobs.contains("unused"))
    }

    @Test("An empty change is read back; bytes that are cut are not")
    func edges() throws {
        let empty = AllocationChange(placement: change.placement)
        let bytes = RecordedContent(change: empty, configuration: nil).encoded(in: table)
        #expect(try #require(RecordedContent(bytes, into: table)).change.isEmpty)
        let whole = RecordedContent(change: change, configuration: nil).encoded(in: table)
        for length in 0..<whole.count {
            #expect(RecordedContent(Array(whole[..<length]), into: LabelTable()) == nil)
        }
        #expect(RecordedContent(whole + [0], into: table) == nil)
    }
}
