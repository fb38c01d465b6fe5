import AllocationCore
import AllocationLedger
import Foundation
import PostgresDriver
import Testing

@testable import AllocatorRuntime

/// Goal: the state that was kept is read back as it was served, with what the journal has beyond it; a folder belongs to one
/// process; what was altered is refused.
@Suite struct OutageFolderTests {
    private let path = FileManager.default.temporaryDirectory.appending(path: "outage-\(UUID().uuidString)").path()
    private let table = LabelTable()
    private let head = LedgerHead(
        revision: Revision(7), epoch: 3, at: Timestamp(microsecondsSince1970: 5_000_000), digest: .hash([7]))

    private func target(_ number: Int) -> IdentifiedTarget {
        let labels = LabelSet(["__address__": "10.0.0.\(number):80", "team": "é"], in: table)
        return IdentifiedTarget(
            identity: TargetIdentity(rawValue: UInt64(number)), labels: labels,
            address: labels.value(of: table.nameID(for: "__address__"), in: table))
    }

    private func discovery(_ numbers: [Int], job: String = "web") -> [JobUpdate] {
        [
            JobUpdate(
                job: job,
                sources: [
                    SourceUpdate(
                        key: SourceKey(provider: "file", source: "a"),
                        targets: ContiguousArray(numbers.map { target($0) }))
                ], isSynchronised: true)
        ]
    }

    private func state() -> AllocationState {
        var state = AllocationState(table: table, strategy: .consistentHashing(.v1))
        _ = state.apply(
            collectors: ["a", "b", "c"].map { Collector(name: $0, nodeName: "n") }, isSynchronised: true, evidence: "")
        _ = state.apply(discovery: discovery(Array(0..<50)))
        return state
    }

    private func contents(_ state: AllocationState) -> [String] {
        var lines: [String] = state.collectorNames
        state.forEachTarget { job, identity, target in
            let collector = target.collector.map { state.collectorTable[Int($0.rawValue)].name } ?? "-"
            let labels = target.labels.dictionary(in: state.table).sorted { $0.key < $1.key }
            lines.append("\(state.jobNames[Int(job.rawValue)]) \(identity.rawValue) \(collector) \(labels)")
        }
        return lines.sorted()
    }

    private func snapshot(_ state: AllocationState) -> AllocationSnapshot {
        AllocationSnapshot(
            state: state, head: head, scrapeConfigs: ScrapeConfigDocument(redacted: Array("{}".utf8), clear: [1]))
    }

    @Test("A state is read back, in another process too, and without secrets")
    func roundTrip() async throws {
        let state = state()
        do {
            let folder = try OutageFolder(path: path)
            #expect(try await folder.state(into: table) == nil)
            try await folder.keep(snapshot(state), ledTerm: 3)
            #expect(throws: OutageFolderError.self) { try OutageFolder(path: path) }
            await folder.close()
        }
        let folder = try OutageFolder(path: path)
        #expect(try await folder.keptHead() == head)
        let other = LabelTable()
        let kept = try #require(try await folder.state(into: other))
        #expect(kept.head == head && kept.ledTerm == 3 && kept.scrapeConfigs == Array("{}".utf8))
        #expect(contents(kept.allocation(in: other, strategy: .consistentHashing(.v1))) == contents(state))
        try FileManager.default.removeItem(atPath: path)
    }

    @Test("A journal is read back over a restart, and its changes lead to the state that was served")
    func journal() async throws {
        var state = state()
        let base = OutageJournal.Base(
            head: head, holder: .random(), beganAt: Timestamp(microsecondsSince1970: 1), reason: "gone")
        do {
            let folder = try OutageFolder(path: path)
            try await folder.keep(snapshot(state), ledTerm: 3)
            try await folder.beginJournal(base)
            var journal = OutageJournal(base: base)
            let changes = [
                state.apply(discovery: discovery(Array(10..<60))),
                state.apply(
                    collectors: [Collector(name: "a"), Collector(name: "d")], isSynchronised: true, evidence: "x"),
                state.apply(discovery: discovery([1, 2], job: "db")),
            ]
            for change in changes {
                let content = RecordedContent(change: change, configuration: nil).encoded(in: table)
                let entry = journal.entry(
                    changeID: .random(), occurredAt: .now(), cause: "discovery", causeDetail: "", counts: change.counts,
                    contentDigest: .hash(content))
                try await folder.append(JournalRecord.entry(entry).piece(after: journal.tip, content: content))
                try journal.take(.entry(entry))
            }
            await folder.close()
        }
        let folder = try OutageFolder(path: path)
        let (journal, ranges) = try #require(try await folder.openJournal())
        #expect(journal.entries.count == 3 && journal.base == base)
        let other = LabelTable()
        var later: [AllocationChange] = []
        for range in ranges {
            later.append(try #require(RecordedContent(try await folder.content(range), into: other)).change)
        }
        let kept = try #require(try await folder.state(into: other))
        let restored = kept.allocation(in: other, strategy: .consistentHashing(.v1), after: later)
        #expect(contents(restored) == contents(state))
        // Put aside, and taken back where what was stated of it is lost.
        _ = await folder.archiveJournal(journal.tip.description)
        #expect(try await folder.openJournal() == nil)
        #expect(await folder.archivedJournals(youngerThan: .seconds(60)) == [journal.tip.description])
        #expect(await folder.archivedJournals(youngerThan: .seconds(-60)).isEmpty)
        let again = try #require(try await folder.takeBackJournal(journal.tip.description))
        #expect(again.journal.tip == journal.tip && again.contents == ranges)
        #expect(try await folder.takeBackJournal(journal.tip.description) == nil)
        #expect(await folder.archivedJournals(youngerThan: .seconds(60)).isEmpty)
        await folder.removeJournal()
        #expect(try await folder.openJournal() == nil)
        try FileManager.default.removeItem(atPath: path)
    }

    @Test("A state file that was altered, or cut, is refused")
    func altered() async throws {
        let folder = try OutageFolder(path: path)
        try await folder.keep(snapshot(state()), ledTerm: nil)
        let file = URL(filePath: path + "/state")
        let bytes = try Data(contentsOf: file)
        for change in [{ $0[$0.count / 2] ^= 1 }, { $0.removeLast() }, { $0[3] = 0 }] as [(inout Data) -> Void] {
            var other = bytes
            change(&other)
            try other.write(to: file)
            await #expect(throws: KeptStateError.self) { try await folder.state(into: LabelTable()) }
        }
        try FileManager.default.removeItem(atPath: path)
    }
}
