//
// RankedBitmap.swift: a set of dictionary ids that numbers its members, in little more than a bit an id.
//
// A load needs "the nth label that is needed" for millions of ids out of a dictionary that may be many times larger.
//

/// A set of numbers from 0 to a limit. Fill it, ``seal()`` it, then ask for ranks.
struct RankedBitmap: Sendable {
    private var words: ContiguousArray<UInt64>
    /// Members below each block of 8 words.
    private var ranks: ContiguousArray<UInt32> = []
    private(set) var count = 0

    init(limit: Int) { words = ContiguousArray(repeating: 0, count: limit / 64 + 1) }

    /// - Returns: False when the number is beyond the limit.
    mutating func insert(_ number: Int32) -> Bool {
        let word = Int(number) >> 6
        guard number >= 0, word < words.count else { return false }
        words[word] |= 1 << UInt64(number & 63)
        return true
    }

    mutating func seal() {
        ranks.removeAll(keepingCapacity: true)
        ranks.reserveCapacity(words.count / 8 + 1)
        count = 0
        for (index, word) in words.enumerated() {
            if index & 7 == 0 { ranks.append(UInt32(count)) }
            count += word.nonzeroBitCount
        }
    }

    /// How many members are less than `number`; nil when it is no member.
    func rank(of number: Int32) -> Int? {
        let word = Int(number) >> 6
        guard number >= 0, word < words.count else { return nil }
        let bit: UInt64 = 1 << UInt64(number & 63)
        guard words[word] & bit != 0 else { return nil }
        var rank = Int(ranks[word >> 3])
        for index in (word & ~7)..<word { rank += words[index].nonzeroBitCount }
        return rank + (words[word] & (bit - 1)).nonzeroBitCount
    }

    func contains(_ number: Int32) -> Bool {
        let word = Int(number) >> 6
        return number >= 0 && word < words.count && words[word] & (1 << UInt64(number & 63)) != 0
    }

    /// In order.
    var members: [Int32] {
        var members: [Int32] = []
        members.reserveCapacity(count)
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                members.append(Int32(index * 64 + rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        }
        return members
    }
}
