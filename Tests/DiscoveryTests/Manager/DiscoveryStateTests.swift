import AllocationCore
import PrometheusConfig
import Testing

@testable import Discovery

/// Goal: jobs are told what changed, once, in its latest state, and nothing counts as gone too early.
///
/// Method: configurations and rounds made up by the test go in, batches come out; no task, no file.
@Suite struct DiscoveryStateTests {
    let table = LabelTable()
    var state = DiscoveryState()

    static let one = FileSDConfig(files: ["one.json"])
    static let two = FileSDConfig(files: ["two.json"])
    static let fileOne = ProviderID(mechanism: "file", key: "one.json")
    static let fileTwo = ProviderID(mechanism: "file", key: "two.json")

    @discardableResult
    mutating func apply(_ jobs: JobDiscovery...) -> DiscoveryState.Actions {
        let groups = Dictionary(
            uniqueKeysWithValues: jobs.map { ($0.job, StaticGroups.packed($0.static, table: table)) })
        return state.apply(jobs, staticGroups: groups, finishedAt: 1)
    }

    func round(_ document: String, _ groups: [Int: [String]], isSynchronised: Bool = true) -> DiscoveryRound {
        var change = DocumentChange(document: document)
        for (position, (slot, targets)) in groups.sorted(by: { $0.key < $1.key }).enumerated() {
            change.slots.append(UInt32(slot))
            let sets = targets.map { LabelSet(["__address__": $0], in: table) }
            _ = change.groups.set(position, labels: LabelSet(), targets: sets)
        }
        return DiscoveryRound(
            changes: [change], outcome: .success, targetCount: groups.values.reduce(0) { $0 + $1.count },
            duration: .milliseconds(1), finishedAt: 5, isSynchronised: isSynchronised)
    }

    func failure(_ message: String, isSynchronised: Bool = false) -> DiscoveryRound {
        DiscoveryRound(
            outcome: .failure(message: message), targetCount: 0, duration: .zero, finishedAt: 6,
            isSynchronised: isSynchronised)
    }

    /// Takes a batch as texts: job → source → addresses.
    mutating func batch(groupsMax: Int = 1000) -> (
        jobs: [String: [String: [String]]], synchronised: Set<String>, DiscoveryBatch
    )? {
        guard let batch = state.takeDraft(groupsMax: groupsMax)?.batch() else { return nil }
        var jobs: [String: [String: [String]]] = [:]
        for (job, delta) in batch.jobs {
            jobs[job] = [:]
            for (key, group) in delta.changed {
                jobs[job]?["\(key.provider) \(key.source)"] = group.targets.map {
                    $0.dictionary(in: table)["__address__"] ?? ""
                }
            }
        }
        return (jobs, Set(batch.jobs.filter(\.value.isSynchronised).keys), batch)
    }

    @Test("Static targets are there at once, and their job is synchronised")
    mutating func `static`() throws {
        apply(JobDiscovery(job: "a", static: [.init(targets: ["x", "y"]), .init(targets: ["z"], labels: ["l": "1"])]))
        let first = try #require(batch())
        #expect(first.jobs == ["a": ["static/a 0": ["x", "y"], "static/a 1": ["z"]]])
        #expect(first.synchronised == ["a"])
        #expect(batch() == nil)
    }

    @Test("A changed static element changes its group alone; an equal configuration is no news")
    mutating func staticChange() throws {
        apply(JobDiscovery(job: "a", static: [.init(targets: ["x"]), .init(targets: ["y"]), .init(targets: ["z"])]))
        _ = batch()
        apply(JobDiscovery(job: "a", static: [.init(targets: ["x"]), .init(targets: ["y"]), .init(targets: ["z"])]))
        #expect(batch() == nil)
        apply(JobDiscovery(job: "a", static: [.init(targets: ["x"]), .init(targets: ["new"])]))
        #expect(try #require(batch()).jobs == ["a": ["static/a 1": ["new"], "static/a 2": []]])
    }

    @Test("A job without any section is told as empty")
    mutating func noSection() throws {
        apply(JobDiscovery(job: "a"))
        let first = try #require(batch())
        #expect(first.jobs == ["a": [:]])
        #expect(first.synchronised == ["a"])
    }

    @Test("Equal sections run once and feed every job that has them")
    mutating func shared() throws {
        let actions = apply(
            JobDiscovery(job: "a", file: [Self.one]), JobDiscovery(job: "b", file: [Self.one, Self.one]))
        #expect(actions.start.map(\.id) == [Self.fileOne])
        _ = batch()
        state.take(round("one.json", [0: ["x"]]), from: Self.fileOne, source: "one.json")
        let first = try #require(batch())
        #expect(first.jobs == ["a": ["file/one.json one.json:0": ["x"]], "b": ["file/one.json one.json:0": ["x"]]])
        #expect(first.2.reports.map(\.jobs) == [["a", "b"]])
    }

    @Test("A job is synchronised when each of its providers is")
    mutating func synchronised() throws {
        apply(JobDiscovery(job: "a", static: [.init(targets: ["s"])], file: [Self.one, Self.two]))
        #expect(try #require(batch()).synchronised == [])
        state.take(round("one.json", [0: ["x"]]), from: Self.fileOne, source: "one.json")
        #expect(try #require(batch()).synchronised == [])
        state.take(failure("broken"), from: Self.fileTwo, source: "two.json")
        let failed = try #require(batch())
        #expect(failed.jobs == [:])
        #expect(failed.2.reports.map(\.error) == ["broken"])
        state.take(round("two.json", [:]), from: Self.fileTwo, source: "two.json")
        let last = try #require(batch())
        #expect(last.jobs == ["a": [:]])
        #expect(last.synchronised == ["a"])
    }

    @Test("What is not taken yet is kept in its latest state alone")
    mutating func coalesced() throws {
        apply(JobDiscovery(job: "a", file: [Self.one]))
        state.take(round("one.json", [0: ["x"], 1: ["y"]]), from: Self.fileOne, source: "one.json")
        state.take(round("one.json", [0: ["z"]]), from: Self.fileOne, source: "one.json")
        state.take(round("one.json", [1: []]), from: Self.fileOne, source: "one.json")
        #expect(
            try #require(batch()).jobs == ["a": ["file/one.json one.json:0": ["z"], "file/one.json one.json:1": []]])
        // The same again is no news.
        state.take(round("one.json", [0: ["z"]]), from: Self.fileOne, source: "one.json")
        #expect(try #require(batch()).jobs == [:])
    }

    @Test("Unchanged rounds are folded into one report; a failure never into a success")
    mutating func reports() throws {
        apply(JobDiscovery(job: "a", file: [Self.one]))
        for _ in 0..<3 { state.take(round("one.json", [0: ["x"]]), from: Self.fileOne, source: "one.json") }
        state.take(failure("e"), from: Self.fileOne, source: "one.json")
        for _ in 0..<2 { state.take(round("one.json", [0: ["x"]]), from: Self.fileOne, source: "one.json") }
        let reports = try #require(batch()).2.reports
        #expect(reports.map(\.rounds) == [3, 1, 2])
        #expect(reports.map(\.error) == [nil, "e", nil])
        for number in 0..<200 {
            state.take(failure("e\(number % 2)"), from: Self.fileOne, source: "one.json")
        }
        let many = try #require(batch()).2.reports
        #expect(many.count <= 32)
        #expect(many.reduce(0) { $0 + $1.rounds } == 200)
    }

    @Test("A section that takes another's place keeps the old groups until the new ones are known")
    mutating func replaced() throws {
        apply(JobDiscovery(job: "a", file: [Self.one]))
        state.take(round("one.json", [0: ["x"], 1: ["y"]]), from: Self.fileOne, source: "one.json")
        _ = batch()
        let actions = apply(JobDiscovery(job: "a", file: [Self.two]))
        #expect(actions.stop == [Self.fileOne])
        let between = try #require(batch())
        #expect(between.jobs == ["a": [:]])
        #expect(between.synchronised == [])
        state.take(round("two.json", [0: ["x"]]), from: Self.fileTwo, source: "two.json")
        let last = try #require(batch())
        #expect(
            last.jobs == [
                "a": [
                    "file/one.json one.json:0": [], "file/one.json one.json:1": [], "file/two.json two.json:0": ["x"],
                ]
            ])
        #expect(last.synchronised == ["a"])
    }

    @Test("Another refresh interval changes no source")
    mutating func interval() throws {
        apply(JobDiscovery(job: "a", file: [Self.one]))
        state.take(round("one.json", [0: ["x"], 1: ["y"]]), from: Self.fileOne, source: "one.json")
        _ = batch()
        let slower = FileSDConfig(files: ["one.json"], refreshInterval: .seconds(1000))
        let actions = apply(JobDiscovery(job: "a", file: [slower]))
        #expect(actions.start.map(\.id) == [Self.fileOne])
        #expect(actions.stop == [Self.fileOne])
        _ = batch()
        state.take(round("one.json", [0: ["x"]]), from: Self.fileOne, source: "one.json")
        #expect(
            try #require(batch()).jobs == ["a": ["file/one.json one.json:0": ["x"], "file/one.json one.json:1": []]])
    }

    @Test("A job attached to a running provider gets all its groups; one that leaves is told they are gone")
    mutating func attached() throws {
        apply(JobDiscovery(job: "a", file: [Self.one]), JobDiscovery(job: "b", static: [.init(targets: ["s"])]))
        state.take(round("one.json", [0: ["x"]]), from: Self.fileOne, source: "one.json")
        _ = batch()
        let actions = apply(
            JobDiscovery(job: "a"), JobDiscovery(job: "b", static: [.init(targets: ["s"])], file: [Self.one]))
        #expect(actions.start.isEmpty && actions.stop.isEmpty)
        let next = try #require(batch())
        #expect(next.jobs == ["a": ["file/one.json one.json:0": []], "b": ["file/one.json one.json:0": ["x"]]])
        #expect(next.synchronised == ["a", "b"])
    }

    @Test("A job that is gone is not spoken of again")
    mutating func removed() throws {
        apply(JobDiscovery(job: "a", file: [Self.one]), JobDiscovery(job: "b"))
        state.take(round("one.json", [0: ["x"]]), from: Self.fileOne, source: "one.json")
        let actions = apply(JobDiscovery(job: "b"))
        #expect(actions.stop == [Self.fileOne])
        #expect(state.take(round("one.json", [0: ["y"]]), from: Self.fileOne, source: "one.json") == nil)
        #expect(try #require(batch()).jobs == ["b": [:]])
    }

    @Test("Everything is handed over again on request, with what went away meanwhile")
    mutating func handOver() throws {
        apply(JobDiscovery(job: "a", file: [Self.one]))
        state.take(round("one.json", [0: ["x"], 1: ["y"]]), from: Self.fileOne, source: "one.json")
        _ = batch()
        state.take(round("one.json", [1: []]), from: Self.fileOne, source: "one.json")
        #expect(state.handOverAll() == 1)
        let all = try #require(batch())
        #expect(all.jobs == ["a": ["file/one.json one.json:0": ["x"], "file/one.json one.json:1": []]])
        #expect(all.synchronised == ["a"])
    }

    @Test("What was taken before everything was asked for again is told from what belongs to that")
    mutating func olderBatch() throws {
        apply(JobDiscovery(job: "a", file: [Self.one]))
        state.take(round("one.json", [0: ["x"], 1: ["y"]]), from: Self.fileOne, source: "one.json")
        _ = batch()
        state.take(round("one.json", [1: ["z"]]), from: Self.fileOne, source: "one.json")
        let (_, _, underWay) = try #require(batch())
        let handOver = state.handOverAll()
        state.take(round("one.json", [1: ["w"]]), from: Self.fileOne, source: "one.json")
        let (jobs, _, all) = try #require(batch())
        #expect(underWay.handOver < handOver && all.handOver == handOver)
        #expect(jobs == ["a": ["file/one.json one.json:0": ["x"], "file/one.json one.json:1": ["w"]]])
    }

    @Test("A document that is gone takes its groups with it")
    mutating func gone() throws {
        apply(JobDiscovery(job: "a", file: [Self.one]))
        state.take(round("one.json", [0: ["x"], 3: ["y"]]), from: Self.fileOne, source: "one.json")
        _ = batch()
        var round = round("one.json", [:])
        round.changes = [DocumentChange(document: "one.json", isGone: true)]
        state.take(round, from: Self.fileOne, source: "one.json")
        #expect(
            try #require(batch()).jobs == ["a": ["file/one.json one.json:0": [], "file/one.json one.json:3": []]])
        #expect(state.targetCount(of: "a") == 0)
    }

    @Test("A large batch ends between two jobs, never within one")
    mutating func limit() throws {
        apply(JobDiscovery(job: "a", file: [Self.one]), JobDiscovery(job: "b", file: [Self.two]))
        _ = batch()
        let groups = Dictionary(uniqueKeysWithValues: (0..<10).map { ($0, ["t\($0)"]) })
        state.take(round("two.json", groups), from: Self.fileTwo, source: "two.json")
        state.take(round("one.json", groups), from: Self.fileOne, source: "one.json")
        #expect(try #require(batch(groupsMax: 5)).jobs.mapValues(\.count) == ["b": 10])
        #expect(try #require(batch(groupsMax: 5)).jobs.mapValues(\.count) == ["a": 10])
        #expect(batch() == nil)
    }

    @Test("Sections that differ in what is not shown have names of their own")
    mutating func names() {
        let slower = FileSDConfig(files: ["one.json"], refreshInterval: .seconds(1000))
        let actions = apply(JobDiscovery(job: "a", file: [Self.one, slower]))
        #expect(actions.start.map(\.id.description) == ["file/one.json", "file/one.json#2"])
    }
}
