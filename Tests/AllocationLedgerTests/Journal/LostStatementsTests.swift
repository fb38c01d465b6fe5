import PostgresDriver
import Testing

@testable import AllocationLedger

/// Goal: each revision that was served and lost is stated, whatever else was lost before it was.
@Suite struct LostStatementsTests {
    private func items(_ numbers: ClosedRange<Int64>) -> [ServedRevisions.Item] {
        numbers.map { ServedRevisions.Item(revision: Revision($0), digest: .hash([UInt8(truncatingIfNeeded: $0)])) }
    }

    @Test("What is lost before the last loss is stated is stated with it, each once")
    func losesTwice() {
        var losses = LostStatements()
        #expect(losses.name == nil)
        losses.lose(items(7...9))
        losses.lose(items(3...7))
        #expect(losses.open == items(3...9) && losses.name == items(9...9)[0].digest)
        losses.state()
        #expect(losses.open == [] && losses.name == nil && losses.stated == items(3...9))
    }

    @Test("A statement that was lost is made again, beside what was lost since")
    func losesStatement() {
        var losses = LostStatements()
        losses.lose(items(1...2))
        losses.state()
        losses.lose(items(5...6))
        losses.lose(items(2...2))
        #expect(losses.open == items(2...2) + items(5...6))
        losses.state()
        #expect(losses.stated == items(1...2) + items(5...6))
    }

    @Test("As much is kept as is remembered of what was served, the newest")
    func isBounded() {
        var losses = LostStatements()
        let max = Int64(ServedRevisions.countMax)
        losses.lose(items(1...max))
        losses.lose(items(max + 1...max + 9))
        #expect(losses.open == items(10...max + 9))
    }
}
