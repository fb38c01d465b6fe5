import AllocationCore
import AllocationLedger
import PostgresDriver
import TestSupport
import Testing

@testable import AllocatorRuntime

/// Goal: a snapshot that is advanced from revision to revision is what one built from the whole state would be, and
/// shares with its predecessor all that did not change.
///
/// Method: random changes, each applied both ways; sharing is identity of the list objects.
@Suite struct AllocationSnapshotTests {
    /// A state, and the snapshot that has followed it.
    private struct Stage {
        let table = LabelTable()
        var state: AllocationState
        var snapshot: AllocationSnapshot
        var revision: Int64 = 1

        init() {
            state = AllocationState(table: table, strategy: .consistentHashing(.v1))
            snapshot = Self.whole(state, 1)
        }

        static func head(_ revision: Int64) -> LedgerHead {
            LedgerHead(
                revision: Revision(revision), epoch: 1, at: Timestamp(microsecondsSince1970: revision), digest: .zero)
        }

        static func whole(_ state: AllocationState, _ revision: Int64) -> AllocationSnapshot {
            AllocationSnapshot(
                state: state, head: head(revision), scrapeConfigs: ScrapeConfigDocument(redacted: [], clear: nil))
        }

        mutating func publish(_ change: AllocationChange) {
            revision += 1
            snapshot = snapshot.advanced(by: change, state: state, head: Self.head(revision))
        }

        mutating func collectors(_ names: [String]) {
            publish(state.apply(collectors: names.map { Collector(name: $0) }, isSynchronised: true, evidence: ""))
        }

        /// The whole of one source of a job.
        mutating func discover(_ job: String, _ numbers: [Int], generation: Int = 0, source: String = "s") {
            let targets = numbers.map { number in
                let labels = LabelSet(
                    ["__address__": "10.0.0.\(number):80", "__meta_generation": "\(generation)"], in: table)
                return IdentifiedTarget(
                    identity: TargetIdentity(rawValue: XXH64.hash("\(job) \(number)")), labels: labels,
                    address: labels.value(of: table.nameID(for: "__address__"), in: table))
            }
            publish(
                state.apply(discovery: [
                    JobUpdate(
                        job: job,
                        sources: [
                            SourceUpdate(
                                key: SourceKey(provider: "file", source: source), targets: ContiguousArray(targets))
                        ], isSynchronised: true)
                ]))
        }
    }

    /// Everything that is served, as text.
    private func contents(_ snapshot: AllocationSnapshot) -> [String] {
        var lines = ["collectors \(snapshot.collectors)"]
        for job in snapshot.jobs {
            let lists = snapshot.collectors.map { ($0, snapshot.targetList(job: job.name, collector: $0)) }
            for (collector, list) in lists + [("-", job.unassigned)] {
                guard let list else { continue }
                for target in list.targets {
                    let labels = target.labels.dictionary(in: snapshot.table).sorted { $0.key < $1.key }
                    lines.append("\(job.name) \(collector) \(target.identity.rawValue) \(labels)")
                }
            }
        }
        return lines
    }

    @Test("Advanced or built anew it is the same", arguments: [1, 2, 3, 4] as [UInt64])
    func advanced(seed: UInt64) {
        var random = SplitMix64(state: seed)
        var stage = Stage()
        for _ in 0..<60 {
            if Int.random(in: 0..<5, using: &random) == 0 {
                let count = Int.random(in: 0...4, using: &random)
                stage.collectors((0..<count).map { "collector-\($0)" })
            } else {
                let numbers = (0..<40).filter { _ in Bool.random(using: &random) }
                stage.discover(
                    "job-\(Int.random(in: 0..<4, using: &random))",
                    Int.random(in: 0..<6, using: &random) == 0 ? [] : numbers,
                    generation: Int.random(in: 0..<3, using: &random))
            }
            #expect(contents(stage.snapshot) == contents(Stage.whole(stage.state, stage.revision)))
        }
    }

    @Test("What a revision does not touch is the same object before and after it")
    func shared() throws {
        var stage = Stage()
        stage.collectors(["a", "b", "c"])
        stage.discover("quiet", Array(0..<30))
        stage.discover("busy", Array(0..<30))
        let before = stage.snapshot
        // One target more: one list of one job.
        stage.discover("busy", Array(0..<31))
        let changed = ["a", "b", "c"].filter { collector in
            before.targetList(job: "busy", collector: collector)
                !== stage.snapshot.targetList(job: "busy", collector: collector)
        }
        #expect(changed.count == 1)
        #expect(before.job(named: "quiet") === stage.snapshot.job(named: "quiet"))
        #expect(before.job(named: "busy")?.targetCount == 30, "the old snapshot stays as it was")
    }

    @Test("Lists are ordered by address, whatever order targets come in")
    func order() throws {
        var stage = Stage()
        stage.collectors(["a"])
        stage.discover("shop", [7, 3, 5], source: "one")
        stage.discover("shop", [4, 9, 1], source: "two")
        let list = try #require(stage.snapshot.targetList(job: "shop", collector: "a"))
        let addresses = list.targets.compactMap { $0.address.map(stage.table.value) }
        #expect(addresses == [1, 3, 4, 5, 7, 9].map { "10.0.0.\($0):80" })
    }

    @Test("A collector that left keeps its number while it has targets; without targets nobody knows it")
    func collectorsThatLeft() {
        var stage = Stage()
        stage.collectors(["a"])
        stage.discover("shop", [1, 2])
        stage.collectors([])
        #expect(stage.snapshot.collectors == ["a"])
        #expect(stage.snapshot.targetList(job: "shop", collector: "a")?.targets.count == 2)
        stage.collectors(["b"])
        #expect(stage.snapshot.collectors == ["b"])
        #expect(stage.snapshot.number(ofCollector: "a") == nil)
    }

    @Test("A job that is not known to be empty is pending until it has a target or is known to be empty")
    func pending() {
        var stage = Stage()
        stage.collectors(["a"])
        let empty = ScrapeConfigDocument(redacted: [], clear: nil)
        stage.snapshot = stage.snapshot.with(scrapeConfigs: empty, pendingJobs: ["shop", "other"])
        #expect(stage.snapshot.pendingJobs == ["shop", "other"])
        stage.discover("shop", [1])
        #expect(stage.snapshot.with(scrapeConfigs: empty, pendingJobs: ["shop", "other"]).pendingJobs == ["other"])
    }
}
