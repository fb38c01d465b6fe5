import AllocationCore
import Testing

/// Goal: the change between two states names exactly what differs, before and after, with reasons that the states show.
@Suite struct AllocationStateDifferenceTests {
    let table = LabelTable()

    private func state(_ collectors: [String], _ targets: [String: [Int]], generation: Int = 0) -> AllocationState {
        var state = AllocationState(table: table, strategy: .consistentHashing(.v1))
        _ = state.apply(collectors: collectors.map { Collector(name: $0) }, isSynchronised: true, evidence: "test")
        let updates = targets.sorted { $0.key < $1.key }.map { job, numbers in
            JobUpdate(
                job: job,
                sources: [
                    SourceUpdate(
                        key: SourceKey(provider: "file", source: "a"),
                        targets: ContiguousArray(
                            numbers.map { number in
                                let labels = LabelSet(
                                    ["__address__": "10.0.0.\(number):80", "g": "\(number % 7 == 0 ? generation : 0)"],
                                    in: table)
                                return IdentifiedTarget(
                                    identity: TargetIdentity(rawValue: UInt64(number)), labels: labels,
                                    address: labels.value(of: table.nameID(for: "__address__"), in: table))
                            }))
                ], isSynchronised: true)
        }
        _ = state.apply(discovery: updates)
        return state
    }

    private func contents(_ state: AllocationState) -> [String: String] {
        var contents: [String: String] = [:]
        state.forEachTarget { job, identity, target in
            contents["\(state.jobNames[Int(job.rawValue)]) \(identity.rawValue)"] =
                "\(target.labels.dictionary(in: table).sorted { $0.key < $1.key }) "
                + (target.collector.map { state.collectorTable[Int($0.rawValue)].name } ?? "-")
        }
        return contents
    }

    @Test("Applied to the one state, the change makes the other")
    func leadsThere() {
        let before = state(["a", "b", "c"], ["web": Array(0..<60), "old": [1, 2]])
        let after = state(["d", "a", "b"], ["new": [3], "web": Array(10..<80)], generation: 1)
        let change = after.change(from: before, evidence: "test", placement: after.placement)
        var contents = contents(before)
        func text(_ target: TargetState) -> String {
            "\(target.labels.dictionary(in: table).sorted { $0.key < $1.key }) "
                + (target.collector.map { change.collectorTable[Int($0.rawValue)].name } ?? "-")
        }
        for target in change.targets {
            let key = "\(change.jobs[Int(target.job.rawValue)]) \(target.identity.rawValue)"
            #expect(contents[key] == target.before.map(text))
            contents[key] = target.after.map(text)
            #expect(target.before != target.after)
        }
        #expect(contents == self.contents(after))
        #expect(
            change.collectors.map { "\($0.kind) \(change.collectorTable[Int($0.collector.rawValue)].name)" }.sorted()
                == ["joined d", "left c"])
        let reasons = Set(change.targets.map(\.reason))
        #expect(reasons.isSuperset(of: [.discovered, .vanished, .labelsChanged, .collectorLeft]))
    }

    @Test("Equal states differ in nothing, whatever the order in which they came to be")
    func equal() {
        let one = state(["a", "b"], ["web": Array(0..<30), "db": [1]])
        let other = state(["b", "a"], ["web": Array((0..<30).reversed()), "db": [1]])
        #expect(one.change(from: other, evidence: "", placement: one.placement).isEmpty)
    }
}
