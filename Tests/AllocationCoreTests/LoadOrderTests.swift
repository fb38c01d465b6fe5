//
// LoadOrderTests.swift: the lightest and the heaviest are who they are by looking at everybody.
//

import Testing

@testable import AllocationCore

/// Goal: the tournaments answer what a scan would, ties included.
///
/// Method: random changes to random loads, each answer compared with a scan in the order of names.
@Suite struct LoadOrderTests {
    @Test("As a scan says, for any number of members", arguments: [1, 2, 3, 5, 8, 13, 100])
    func scan(count: Int) {
        var random = SplitMix(state: UInt64(count))
        // Every second number is no member.
        let members = ContiguousArray((0..<count).map { Int32($0 * 2) }.shuffled(using: &random))
        var loads = [Int32: Int](uniqueKeysWithValues: members.map { ($0, Int(random.next() % 5)) })
        var order = LoadOrder(members, collectorCount: count * 2) { loads[$0, default: 0] }
        for _ in 0..<500 {
            // Never the comparison itself: of equals the first.
            var (lightest, heaviest) = (members[0], members[0])
            for member in members {
                if loads[member, default: 0] < loads[lightest, default: 0] { lightest = member }
                if loads[member, default: 0] > loads[heaviest, default: 0] { heaviest = member }
            }
            #expect(order.lightest == lightest && order.heaviest == heaviest)
            #expect(order.spread == loads[heaviest, default: 0] - loads[lightest, default: 0])
            let changed = Int32(random.next() % UInt64(count * 2))
            let change = random.next() % 2 == 0 ? 1 : -1
            order.add(change, to: changed)
            loads[changed]? += change
        }
    }

    @Test("Nobody has no spread")
    func empty() {
        let order = LoadOrder([], collectorCount: 3) { _ in 1 }
        #expect(order.isEmpty && order.spread == 0)
    }
}
