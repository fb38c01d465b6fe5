//
// LedgerDictionary.swift: the ids under which the ledger knows labels, label sets, targets, jobs and collectors.
//
// Only the fenced writer gives ids, so it can count them itself. What it has seen committed is kept here; what it does
// not know may still be in the database (from an earlier process, or of a target that was gone for a while), and is
// looked up there unless the dictionary is known to be complete.
//

import AllocationCore

/// A target's place in the dictionary.
struct TargetKey: Hashable, Sendable {
    let job: Int32
    let identity: UInt64

    func hash(into hasher: inout Hasher) { hasher.combine(identity ^ UInt64(UInt32(bitPattern: job)) << 32) }
}

/// A label set hashed by its ids in one go, which is several times faster than one by one.
struct LabelSetKey: Hashable, Sendable {
    let labels: LabelSet

    func hash(into hasher: inout Hasher) {
        labels.ids.withUnsafeBytes { hasher.combine(XXH64.hash($0)) }
    }
}

/// The writer's knowledge of ids.
///
/// Invariant: every id here is committed in the database with exactly that content.
struct LedgerDictionary: Sendable {
    /// By raw LabelID; 0 is unknown.
    private(set) var labels: ContiguousArray<Int32> = []
    var labelSets: [LabelSetKey: Int32] = [:]
    var targets: [TargetKey: Int32] = [:]
    var jobs: [String: Int32] = [:]
    /// By name and uid.
    var collectors: [Collector: Int32] = [:]
    /// Addresses in the rows of targets that have another one now, by the target's id. Rarely any: the address is
    /// nearly always part of what the identity is made of.
    var storedAddresses: [Int32: String] = [:]
    var configurations: [Digest32: Int32] = [:]
    var rings: [Digest32: Int32] = [:]

    /// The highest ids given so far.
    struct Highest: Sendable, Equatable {
        var label: Int32 = 0
        var labelSet: Int32 = 0
        var target: Int32 = 0
        var job: Int32 = 0
        var collector: Int32 = 0
        var configuration: Int32 = 0
        var ring: Int32 = 0
    }
    var highest = Highest()

    /// Nothing is in the database but what is here.
    struct Completeness: Sendable {
        var labelSets = false
        var targets = false
    }
    var isComplete = Completeness()

    func label(_ id: LabelID) -> Int32 {
        let index = Int(id.rawValue)
        return index < labels.count ? labels[index] : 0
    }

    mutating func setLabel(_ id: LabelID, _ stored: Int32) {
        let index = Int(id.rawValue)
        if index >= labels.count {
            // Grows by a quarter: doubling a table of millions would cost more than it holds.
            let count = max(index + 1, labels.count + max(1024, labels.count / 4))
            labels.reserveCapacity(count)
            labels.append(contentsOf: repeatElement(0, count: count - labels.count))
        }
        labels[index] = stored
    }

    /// A collector's key: node and other facts do not make another incarnation.
    static func key(_ collector: Collector) -> Collector { Collector(name: collector.name, uid: collector.uid) }
}

/// A set of labels, a bit for each number.
struct LabelMarks {
    private var words: ContiguousArray<UInt64> = []

    /// Whether it was not in the set.
    mutating func insert(_ label: LabelID) -> Bool {
        let (word, bit) = (Int(label.rawValue >> 6), UInt64(1) << UInt64(label.rawValue & 63))
        if word >= words.count {
            words.append(contentsOf: repeatElement(0, count: max(1024, word + 1 - words.count)))
        }
        defer { words[word] |= bit }
        return words[word] & bit == 0
    }
}
