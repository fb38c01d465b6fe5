import PostgresDriver
import Testing

@testable import AllocationLedger

/// Goal: what was served and is not in the database is found, and no number of it can come again.
@Suite struct ForkRepairTests {
    private func digest(_ number: Int64, _ branch: UInt8 = 0) -> Digest32 {
        .hash([UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8), branch])
    }

    private func head(_ number: Int64, _ branch: UInt8 = 0, epoch: Int64 = 1) -> LedgerHead {
        LedgerHead(
            revision: Revision(number), epoch: epoch, at: Timestamp(microsecondsSince1970: number),
            digest: digest(number, branch))
    }

    private func served(_ numbers: ClosedRange<Int64>, epoch: Int64 = 4) -> ServedRevisions {
        var served = ServedRevisions()
        for number in numbers { served.take(head(number, epoch: epoch)) }
        return served
    }

    private func found(_ numbers: ClosedRange<Int64>, branchFrom: Int64 = .max, epoch: Int64 = 2) -> ForkRepair.Found {
        ForkRepair.Found(
            head: head(numbers.upperBound, numbers.upperBound >= branchFrom ? 1 : 0, epoch: epoch),
            oldest: Revision(numbers.lowerBound),
            digests: Dictionary(
                uniqueKeysWithValues: numbers.map { ($0, digest($0, $0 >= branchFrom ? 1 : 0)) }))
    }

    @Test("The same, or more of the same, is whole")
    func whole() {
        #expect(ForkRepair.compare(ServedRevisions(), with: found(1...5)) == .whole)
        #expect(ForkRepair.compare(served(1...5), with: found(1...5)) == .whole)
        #expect(ForkRepair.compare(served(1...5), with: found(1...9)) == .whole)
        #expect(ForkRepair.compare(served(1...5), with: found(9...12)) == .tooOld)
    }

    @Test("A lower tip, another digest, an empty database: what was lost is named, with the last that both have")
    func lost() throws {
        let cases: [(ForkRepair.Found, Int64?, ClosedRange<Int64>, Int64)] = [
            (found(1...3), 3, 4...6, 4), (found(1...9, branchFrom: 5, epoch: 7), 4, 5...6, 7),
            (ForkRepair.Found(head: nil, oldest: nil, digests: [:]), nil, 1...6, 4),
        ]
        for (found, common, numbers, epoch) in cases {
            guard case .lost(let lost) = ForkRepair.compare(served(1...6), with: found) else {
                Issue.record("nothing lost in \(found)")
                continue
            }
            #expect(lost.common?.number == common)
            #expect(lost.items.map(\.revision.number) == Array(numbers))
            #expect(lost.last.number == 6)
            #expect(lost.epoch == epoch)
        }
    }

    @Test("Memory has an end, and keeps the newest")
    func bounded() {
        let many = served(1...5000)
        #expect(many.items.count <= ServedRevisions.countMax)
        #expect(many.last?.revision == Revision(5000))
        var same = many
        same.take(head(4999, 1))
        #expect(same == many)
    }

    @Test(
        "Numbers go on far behind all that is known",
        arguments: [
            (0, 0, 0, 50_000), (12, 0, 0, 50_012), (12, 50_011, 0, 50_012), (12, 50_012, 0, 100_012),
            (12, 0, 30, 53_012),
            (12, 53_012, 30, 103_012), (12, 0, -5, 50_012),
        ] as [(Int64, Int64, Int64, Int64)])
    func numbers(tip: Int64, served: Int64, seconds: Int64, expected: Int64) {
        #expect(ForkRepair.next(after: tip, served: served, elapsed: .seconds(seconds)) == expected)
    }

    @Test(
        "Who repairs later goes on further, even where an earlier repair and what followed it are lost and not known of"
    )
    func lostRepairs() {
        // At most as many revisions a second as are allowed for; a standby that lacks some time of them.
        let perSecond = ForkRepair.numbersPerSecond
        for (lag, later): (Int64, Int64) in [(0, 1), (1, 1), (5, 10), (300, 60)] {
            let (tip, certain): (Int64, Int64) = (1_000_000, 10_000)
            let first = ForkRepair.next(after: tip, served: tip + 3, elapsed: .seconds(20))
            let recorded = first + later * perSecond
            let second = ForkRepair.next(
                after: tip - lag * perSecond, served: 0, elapsed: .seconds(certain + 20 + later - (certain - lag)))
            #expect(second >= recorded)
            #expect(ForkRepair.next(after: tip, served: recorded, elapsed: .seconds(21 + later)) > recorded)
        }
    }

    @Test("What is said of the numbers that are left out can be read back")
    func statement() throws {
        guard case .lost(let lost) = ForkRepair.compare(served(1...6), with: found(1...4)) else {
            Issue.record("nothing lost")
            return
        }
        let text = ForkRepair.statement(skipping: 5...99_999, lost: lost)
        #expect(
            text == "revisions 5-99999 are not used: the database lost 5 \(digest(5)), 6 \(digest(6))")
        let gap = Gap(
            from: Timestamp(microsecondsSince1970: 0), to: Timestamp(microsecondsSince1970: 1), cause: .fork,
            detail: text)
        #expect(ForkRepair.skipped(in: gap.statement) == 5...99_999)
        #expect(ForkRepair.skipped(in: "term 4 of host:1; \(gap.statement)") == 5...99_999)
        #expect(
            ForkRepair.skipped(in: " fork: \(ForkRepair.statement(skipping: 7...9, lost: nil))") == 7...9)
        #expect(ForkRepair.unused(before: Revision(100_000), cause: "fork_repaired", detail: gap.statement) == 99_995)
        #expect(ForkRepair.unused(before: Revision(100_001), cause: "fork_repaired", detail: gap.statement) == 0)
        #expect(ForkRepair.unused(before: Revision(100_000), cause: "discovery", detail: gap.statement) == 0)
        for other in [
            "", "gap x fork: revisions 9-7 are not used", "revisions 1-2 are not used", " fork: revisions 1-",
        ] {
            #expect(ForkRepair.skipped(in: other) == nil)
        }
    }

    @Test("Another server may have lost something")
    func servers() {
        let (a, b, c) = (
            ForkRepair.Server(systemIdentifier: 1, timeline: 1), ForkRepair.Server(systemIdentifier: 1, timeline: 2),
            ForkRepair.Server(systemIdentifier: 2, timeline: 1)
        )
        let unknown = ForkRepair.Server(systemIdentifier: nil, timeline: nil)
        #expect(!ForkRepair.mayHaveLost(before: a, now: a))
        #expect(ForkRepair.mayHaveLost(before: a, now: b))
        #expect(ForkRepair.mayHaveLost(before: a, now: c))
        #expect(!ForkRepair.mayHaveLost(before: nil, now: b))
        #expect(!ForkRepair.mayHaveLost(before: unknown, now: b))
        #expect(!ForkRepair.mayHaveLost(before: a, now: unknown))
    }
}
