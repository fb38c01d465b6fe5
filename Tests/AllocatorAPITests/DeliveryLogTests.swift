import AllocationCore
import AllocationLedger
import AllocatorAPI
import AllocatorRuntime
import PostgresDriver
import Testing

/// Goal: the first fetch of each changed list by each collector is noted once, whatever is asked how often.
///
/// Method: a responder over snapshots that follow each other as revisions do; what waits in the queue is looked at.
@Suite struct DeliveryLogTests {
    private struct Fixture {
        let table = LabelTable()
        let log: DeliveryLog
        let serving = ResponderFixture()
        let responder: StandardResponder
        var state: AllocationState
        var revision: Int64 = 0

        init(waitingMax: Int = 100) {
            log = DeliveryLog(waitingMax: waitingMax)
            responder = StandardResponder(
                publisher: serving.publisher, metrics: serving.metrics, cache: serving.cache, showsSecrets: false,
                deliveries: log)
            state = AllocationState(table: table, strategy: .leastWeighted)
            // A restart finds an empty ledger, so every list that follows was seen when it changed.
            let head = SnapshotFixture.head(0)
            serving.publish(
                AllocationSnapshot(state: state, head: head, scrapeConfigs: SnapshotFixture.emptyConfiguration))
        }

        mutating func collectors(_ names: String...) {
            publish(
                state.apply(
                    collectors: names.map { Collector(name: $0) }, isSynchronised: true, evidence: "test"))
        }

        mutating func targets(_ job: String, _ addresses: String...) {
            let targets = addresses.map { address in
                let labels = LabelSet(["__address__": address], in: table)
                return IdentifiedTarget(
                    identity: TargetIdentity(rawValue: XXH64.hash(job + address)), labels: labels,
                    address: labels.value(of: table.nameID(for: "__address__"), in: table))
            }
            let source = SourceUpdate(
                key: SourceKey(provider: "file", source: job), targets: ContiguousArray(targets))
            publish(state.apply(discovery: [JobUpdate(job: job, sources: [source], isSynchronised: true)]))
        }

        private mutating func publish(_ change: AllocationChange) {
            revision += 1
            guard let current = serving.publisher.current else { return }
            serving.publish(current.advanced(by: change, state: state, head: SnapshotFixture.head(revision)))
        }

        /// Asked for, on the event loop first as a server does.
        @discardableResult
        func fetch(_ job: String, _ collector: String, ifNoneMatch: String? = nil) -> PreparedResponse? {
            var request = StandardRequest("/jobs/\(job)/targets?collector_id=\(collector)")
            request.ifNoneMatch = ifNoneMatch
            return responder.respond(to: request, for: .eventLoop) ?? responder.respond(to: request, for: .task)
        }

        /// `job collector revision`, in the order in which they came.
        func noted() -> [String] {
            let notes = log.take()
            log.finish(notes.count)
            return notes.map { "\($0.job) \($0.collector) \($0.revisions.upperBound)" }
        }
    }

    @Test("A thousand fetches of one answer are one note; another list, and the next change, are others")
    func once() {
        var fixture = Fixture()
        fixture.collectors("a", "b")
        fixture.targets("j", "x:1", "x:2", "x:3")
        fixture.targets("other", "y:1")
        for _ in 0..<1000 { fixture.fetch("j", "a") }
        #expect(fixture.noted() == ["j a 2"])
        fixture.fetch("j", "b")
        fixture.targets("other", "y:2")
        fixture.fetch("j", "a")
        #expect(fixture.noted() == ["j b 2"], "a revision that does not touch a list is no change of it")
        fixture.targets("j", "x:1", "x:2", "x:3", "x:4")
        let changed = fixture.state.collectorNames.filter { name in
            fixture.serving.publisher.current?.targetList(job: "j", collector: name)?.change.revisions.upperBound == 5
        }
        #expect(changed.count == 1)
        for name in ["a", "b"] { fixture.fetch("j", name) }
        #expect(fixture.noted() == changed.map { "j \($0) 5" })
    }

    @Test("A 304 says that the collector has it")
    func notModified() {
        var fixture = Fixture()
        fixture.collectors("a")
        fixture.targets("j", "x:1")
        let etag = fixture.fetch("j", "a")?.etag?.text
        #expect(fixture.noted() == ["j a 2"])
        fixture.targets("j", "x:1", "x:2")
        fixture.targets("j", "x:1")
        #expect(fixture.fetch("j", "a", ifNoneMatch: etag)?.status == 304)
        #expect(fixture.noted() == ["j a 4"])
    }

    @Test("A list that became empty is one that changed; one that never held anything is none")
    func emptied() {
        var fixture = Fixture()
        fixture.collectors("a")
        fixture.targets("j", "x:1")
        fixture.fetch("j", "a")
        #expect(fixture.noted() == ["j a 2"])
        // The newcomer takes the target of the one that leaves, in one revision.
        fixture.collectors("b")
        for _ in 0..<3 {
            fixture.fetch("j", "a")
            fixture.fetch("j", "b")
            fixture.fetch("j", "nobody")
            fixture.fetch("nothing", "b")
        }
        #expect(fixture.noted() == ["j a 3", "j b 3"])
    }

    @Test("A state that is loaded again shares the lists that are the same, and knows about when others changed")
    func loadedAgain() throws {
        var fixture = Fixture()
        fixture.collectors("a", "b")
        fixture.targets("j", "x:1", "x:2")
        fixture.targets("k", "y:1", "y:2")
        fixture.fetch("j", "a")
        _ = fixture.noted()
        let before = try #require(fixture.serving.publisher.current)
        // Recorded by another process: two revisions, of which this one sees the outcome.
        let source = SourceUpdate(key: SourceKey(provider: "file", source: "k"), targets: [])
        _ = fixture.state.apply(discovery: [JobUpdate(job: "k", sources: [source], isSynchronised: true)])
        fixture.serving.publish(
            AllocationSnapshot(
                state: fixture.state, head: SnapshotFixture.head(before.head.revision.number + 2),
                scrapeConfigs: SnapshotFixture.emptyConfiguration, after: before))
        fixture.fetch("j", "a")
        fixture.fetch("j", "b")
        fixture.fetch("k", "a")
        let notes = fixture.log.take()
        #expect(notes.map(\.job) == ["j", "k"])
        #expect(notes.map(\.revisions) == [2...2, 4...5])
        #expect(!(notes.last?.isExact ?? true))
    }

    @Test("What comes on top of a full queue is lost, and counted; nothing waits for the writer")
    func full() {
        var fixture = Fixture(waitingMax: 2)
        fixture.collectors("a")
        for job in ["j1", "j2", "j3"] { fixture.targets(job, "x:1") }
        for job in ["j1", "j2", "j3"] { fixture.fetch(job, "a") }
        #expect(fixture.log.lostCount == 1)
        #expect(fixture.noted().count == 2)
    }
}
