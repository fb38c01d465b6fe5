import PostgresDriver
import Testing

@testable import AllocationLedger

/// Goal: a journal is read back as it was written, what a crash cut off is found, what was altered is refused, and each
/// way in which the database can come back leads to the right end.
@Suite struct OutageJournalTests {
    private let base = OutageJournal.Base(
        head: LedgerHead(
            revision: Revision(41), epoch: 3, at: Timestamp(microsecondsSince1970: 1_700_000_000_000_000),
            digest: .hash([1])),
        holder: UUID128(high: 1, low: 1), beganAt: Timestamp(microsecondsSince1970: 1_700_000_100_000_000),
        reason: "the database cannot be reached")

    /// A journal of three entries, with a second process before the third, and where each piece ends.
    private func written() throws -> (journal: OutageJournal, bytes: [UInt8], ends: [Int]) {
        var journal = OutageJournal(base: base)
        var bytes = JournalRecord.base(base).piece(after: .zero)
        var ends = [bytes.count]
        for number in 1...3 {
            if number == 3 {
                let record = JournalRecord.holder(UUID128(high: 2, low: 2))
                bytes += record.piece(after: journal.tip)
                try journal.take(record)
                ends.append(bytes.count)
            }
            let content = [UInt8](repeating: UInt8(number), count: number * 10)
            let entry = journal.entry(
                changeID: UUID128(high: 9, low: UInt64(number)),
                occurredAt: Timestamp(microsecondsSince1970: 1_700_000_200_000_000 + Int64(number)), cause: "discovery",
                causeDetail: "web", counts: [Int64(number), 0, 1, 0], contentDigest: .hash(content))
            bytes += JournalRecord.entry(entry).piece(after: journal.tip, content: content)
            try journal.take(.entry(entry))
            ends.append(bytes.count)
        }
        return (journal, bytes, ends)
    }

    @Test("What was written is read back")
    func roundTrip() throws {
        let (journal, bytes, _) = try written()
        let scan = try JournalScanner.scan(bytes)
        #expect(scan.byteCount == Int64(bytes.count))
        let read = try #require(scan.journal)
        #expect(read.base == base)
        #expect(read.entries == journal.entries)
        #expect(read.tip == journal.tip)
        #expect(read.holders == [UUID128(high: 1, low: 1), UUID128(high: 2, low: 2)])
        #expect(read.position?.ordinal == 3)
        for (index, range) in scan.contents.enumerated() {
            let content = bytes[Int(range.lowerBound)..<Int(range.upperBound)]
            #expect(Array(content) == [UInt8](repeating: UInt8(index + 1), count: (index + 1) * 10))
        }
    }

    @Test("Cut at any byte, everything up to the last whole piece is read, and no more")
    func torn() throws {
        let (journal, bytes, ends) = try written()
        for length in 0..<bytes.count {
            let scan = try JournalScanner.scan(Array(bytes[..<length]))
            let whole = ends.last { $0 <= length } ?? 0
            #expect(scan.byteCount == Int64(whole))
            let count = [0, 0, 1, 2, 2, 3][ends.count { $0 <= length }]
            #expect(scan.journal?.entries ?? [] == Array(journal.entries.prefix(count)))
        }
    }

    @Test("A last piece with zeros where the disk had not got it yet is cut off")
    func zeros() throws {
        let (_, bytes, ends) = try written()
        let start = ends[ends.count - 2]
        for range in [start..<bytes.count, start..<start + 20, start + 12..<bytes.count, bytes.count - 5..<bytes.count]
        {
            var torn = bytes
            for index in range { torn[index] = 0 }
            #expect(try JournalScanner.scan(torn).byteCount == Int64(start))
        }
    }

    @Test("A byte that was altered before the last piece is refused, wherever it is")
    func altered() throws {
        let (_, bytes, ends) = try written()
        let last = ends[ends.count - 2]
        for index in 0..<last {
            var altered = bytes
            altered[index] ^= 0x10
            let scan = try? JournalScanner.scan(altered)
            // A length that leads behind the end looks like a crash; then nothing of it counts.
            if let scan { #expect(scan.byteCount < Int64(bytes.count) && scan.byteCount <= Int64(index)) }
        }
        #expect(throws: JournalError.self) {
            var altered = bytes
            altered[ends[1] - 1] ^= 1
            _ = try JournalScanner.scan(altered)
        }
    }

    @Test("An entry taken out, or in another order, is refused")
    func reordered() throws {
        let (_, bytes, ends) = try written()
        #expect(throws: JournalError.self) {
            try JournalScanner.scan(Array(bytes[..<ends[0]] + bytes[ends[1]...]))
        }
    }

    // MARK: Recovery

    private func revision(
        _ change: UInt64 = 0, by replica: UInt64 = 7, changes: Bool = false
    ) -> OutageJournal.RecordedRevision {
        OutageJournal.RecordedRevision(
            changeID: UUID128(high: change == 0 ? 8 : 9, low: change), replica: UUID128(high: replica, low: replica),
            changesState: changes)
    }

    private func recovery(_ revisions: [OutageJournal.RecordedRevision], digest: Digest32? = .hash([1])) throws
        -> OutageJournal.Recovery
    {
        try written().journal.recovery(
            OutageJournal.Since(digestAtBase: digest, revisions: revisions), by: UUID128(high: 7, low: 7))
    }

    @Test("Untouched, the entries become revisions; those that are already are not repeated")
    func untouched() throws {
        #expect(try recovery([]) == .append(from: 0))
        #expect(try recovery([revision()]) == .append(from: 0))
        #expect(try recovery([revision(1, by: 1, changes: true)]) == .append(from: 1))
        #expect(
            try recovery([revision(1, by: 1, changes: true), revision(), revision(2, changes: true)])
                == .append(from: 2))
        let all = [revision(1, changes: true), revision(2, changes: true), revision(3, changes: true)]
        #expect(try recovery(all) == .append(from: 3))
        #expect(try recovery(all + [revision(by: 5, changes: true)]) == .append(from: 3))
    }

    @Test("Where another has written, the rest is stated as served")
    func touched() throws {
        #expect(try recovery([revision(by: 5, changes: true)]) == .stateServed(from: 0))
        #expect(try recovery([revision(by: 5)]) == .stateServed(from: 0))
        #expect(try recovery([revision(1, by: 1, changes: true), revision(by: 5)]) == .stateServed(from: 1))
        // A change of its own that the journal does not have: something else moved the state.
        #expect(try recovery([revision(changes: true)]) == .stateServed(from: 0))
        let statement = try written().journal.statement(from: 1)
        #expect(statement.contains("served 2 changes of its own on revision 41"))
        #expect(statement.contains("5 targets added, 0 removed, 2 moved"))
        #expect(statement.hasSuffix("journal \(try written().journal.tip)"))
    }

    @Test("A database that lacks the base has lost revisions")
    func forked() throws {
        #expect(try recovery([], digest: nil) == .repairFork)
        #expect(try recovery([revision(1)], digest: .hash([2])) == .repairFork)
    }
}
