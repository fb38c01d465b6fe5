//
// LabelSet.swift: a set of label pairs in the order in which everything is compared, hashed and served.
//

/// Labels sorted bytewise by name; no name twice.
///
/// Invariant: two sets of one table are equal exactly when their `ids` are.
package struct LabelSet: Hashable, Sendable {
    package private(set) var ids: ContiguousArray<LabelID>

    package init() { ids = [] }

    /// Takes IDs that are sorted by name already, no name twice.
    package init(sortedUnique ids: ContiguousArray<LabelID>) { self.ids = ids }

    /// Sorts by name; of equal names the last one given stays.
    package init(unsorted: some Sequence<LabelID>, in table: LabelTable) {
        // Position breaks ties, so that "the last wins" does not hang on the sort being stable.
        let sorted = unsorted.enumerated().sorted { a, b in
            if table.precedes(a.element, b.element) { return true }
            if table.precedes(b.element, a.element) { return false }
            return a.offset < b.offset
        }
        ids = []
        ids.reserveCapacity(sorted.count)
        for (_, id) in sorted {
            if let last = ids.last, table.nameID(last) == table.nameID(id) { ids.removeLast() }
            ids.append(id)
        }
    }

    package init(_ pairs: [String: String], in table: LabelTable) {
        let interned = table.intern { interner in
            var ids: [LabelID] = []
            for (name, value) in pairs { ids.append(interner.intern(name, value)) }
            return ids
        }
        self.init(unsorted: interned, in: table)
    }

    package var isEmpty: Bool { ids.isEmpty }
    package var count: Int { ids.count }

    /// Both sets in one; where both have a name, `own` wins (spec/target-allocator.md 6.2).
    package func merging(_ own: LabelSet, in table: LabelTable) -> LabelSet {
        if own.ids.isEmpty { return self }
        if ids.isEmpty { return own }
        var merged = ContiguousArray<LabelID>()
        merged.reserveCapacity(ids.count + own.ids.count)
        var (left, right) = (0, 0)
        while left < ids.count && right < own.ids.count {
            if table.precedes(ids[left], own.ids[right]) {
                merged.append(ids[left])
                left += 1
            } else {
                if table.nameID(ids[left]) == table.nameID(own.ids[right]) { left += 1 }
                merged.append(own.ids[right])
                right += 1
            }
        }
        merged.append(contentsOf: ids[left...])
        merged.append(contentsOf: own.ids[right...])
        return LabelSet(sortedUnique: merged)
    }

    /// The pair that has this name.
    package func value(of name: LabelNameID, in table: LabelTable) -> LabelID? {
        for id in ids where table.nameID(id) == name { return id }
        return nil
    }

    package func dictionary(in table: LabelTable) -> [String: String] {
        var pairs: [String: String] = [:]
        for id in ids { pairs[table.name(id)] = table.value(id) }
        return pairs
    }
}
