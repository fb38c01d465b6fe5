//
// LabelSetFilter.swift: which stored label sets a selection means.
//
// A matcher is asked once for each stored label, not for each target: a label set then only has to look whether it holds
// accepted ones. Label sets are looked at in the order of the list that is being filtered, so a page of a list in which
// many match costs that page. After enough that did not match, all labels of the names in question are read in one go,
// which is cheaper than asking for most of them one by one.
//

import AllocationCore
import PostgresDriver

struct LabelSetFilter {
    private let selection: LabelSelection
    /// Conditions by the name that they are about, as bits.
    private let byName: [String: UInt64]
    /// Conditions that a label set without the name fulfils.
    private let acceptsMissing: UInt64
    /// Jobs of each alternative; nil: all.
    private let jobs: [Set<Int32>?]

    /// What a label is for the conditions on its name.
    private struct Verdict {
        let concerns: UInt64
        let accepts: UInt64
    }

    private var verdicts: [Int32: Verdict] = [:]
    /// Labels of other names, which are most.
    private var known = LabelNumberSet()
    private var inspected = 0
    private var hasReadAll = false

    /// From this many label sets on, reading all labels of the names in question is cheaper.
    private let readAllFrom: Int

    init(
        _ selection: LabelSelection, readAllFrom: Int = 16_384, _ connection: isolated PostgresConnection
    ) async throws {
        self.selection = selection
        self.readAllFrom = readAllFrom
        var byName: [String: UInt64] = [:]
        var acceptsMissing: UInt64 = 0
        for (place, condition) in selection.conditions.enumerated() {
            byName[condition.name, default: 0] |= 1 << UInt64(place)
            if condition.accepts("") { acceptsMissing |= 1 << UInt64(place) }
        }
        self.byName = byName
        self.acceptsMissing = acceptsMissing
        guard selection.alternatives.contains(where: { !$0.job.isEmpty }) else {
            jobs = selection.alternatives.map { _ in nil }
            return
        }
        let rows = try await connection.query("SELECT id, name FROM ledger.job")
        let all = try rows.map { (id: try $0.decode(0, as: Int32.self), name: try $0.decode(1, as: String.self)) }
        jobs = selection.alternatives.map { alternative in
            alternative.job.isEmpty ? nil : Set(all.filter { alternative.selects(job: $0.name) }.map(\.id))
        }
    }

    /// Every job that an accepted target can have; nil: any.
    var candidateJobs: [Int32]? {
        var candidates: Set<Int32> = []
        for jobs in jobs {
            guard let jobs else { return nil }
            candidates.formUnion(jobs)
        }
        return candidates.sorted()
    }

    /// Keeps those whose job and labels are meant.
    ///
    /// - Parameter key: An item's job and label set.
    mutating func filter<T>(
        _ items: [T], _ connection: isolated PostgresConnection, by key: (T) -> (job: Int32, labelSet: Int32)
    ) async throws -> [T] {
        guard !selection.isEverything else { return items }
        let sets = byName.isEmpty ? [:] : try await holds(Set(items.map { key($0).labelSet }), connection)
        return items.filter { item in
            let (job, labelSet) = key(item)
            let holds = sets[labelSet] ?? acceptsMissing
            return zip(selection.alternatives, jobs).contains { alternative, jobs in
                jobs?.contains(job) != false && alternative.conditions & holds == alternative.conditions
            }
        }
    }

    /// The conditions that each label set fulfils.
    private mutating func holds(
        _ numbers: Set<Int32>, _ connection: isolated PostgresConnection
    ) async throws -> [Int32: UInt64] {
        let sets = try await LabelSetReader.members(of: numbers.sorted(), connection)
        inspected += sets.count
        try await learn(sets.lazy.flatMap(\.labels), connection)
        var result: [Int32: UInt64] = [:]
        result.reserveCapacity(sets.count)
        for set in sets {
            var holds = acceptsMissing
            for label in set.labels {
                guard let verdict = verdicts[label] else { continue }
                holds = holds & ~verdict.concerns | verdict.accepts
            }
            result[set.number] = holds
        }
        return result
    }

    private mutating func learn(
        _ labels: some Sequence<Int32>, _ connection: isolated PostgresConnection
    ) async throws {
        guard !hasReadAll else { return }
        let names = byName.keys.sorted()
        if inspected >= readAllFrom {
            hasReadAll = true
            known = LabelNumberSet()
            let rows = try await connection.query(
                "SELECT id, name, value FROM ledger.label WHERE name = ANY(\(names))")
            for row in rows { try judge(row) }
            return
        }
        var unknown: [Int32] = []
        for label in labels where known.insert(label) { unknown.append(label) }
        guard !unknown.isEmpty else { return }
        let rows = try await connection.query(
            "SELECT id, name, value FROM ledger.label WHERE id = ANY(\(unknown)) AND name = ANY(\(names))")
        for row in rows { try judge(row) }
    }

    private mutating func judge(_ row: PostgresRow) throws {
        guard let concerns = byName[try row.decode(1)] else { return }
        let value = try row.decode(2, as: String.self)
        var accepts: UInt64 = 0
        var rest = concerns
        while rest != 0 {
            let place = rest.trailingZeroBitCount
            rest &= rest - 1
            if selection.conditions[place].accepts(value) { accepts |= 1 << UInt64(place) }
        }
        verdicts[try row.decode(0)] = Verdict(concerns: concerns, accepts: accepts)
    }
}

/// A growing set of stored labels, a bit for each.
private struct LabelNumberSet {
    private var words: ContiguousArray<UInt64> = []

    /// Whether it was not in the set.
    mutating func insert(_ number: Int32) -> Bool {
        guard number >= 0 else { return false }
        let (word, bit) = (Int(number) >> 6, UInt64(1) << UInt64(number & 63))
        if word >= words.count {
            words.append(contentsOf: repeatElement(0, count: max(1024, word + 1 - words.count)))
        }
        defer { words[word] |= bit }
        return words[word] & bit == 0
    }
}
