//
// RecordedLabels.swift: label sets as texts, and what differs between two of them.
//

import AllocationCore

/// One label.
package struct RecordedLabel: Sendable, Hashable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// A label set, ordered bytewise by name. What text cannot hold (a zero byte, broken UTF-8) reads as U+FFFD.
package struct RecordedLabels: Sendable, Hashable {
    package var pairs: [RecordedLabel]

    package init(pairs: [RecordedLabel]) { self.pairs = pairs }

    package subscript(name: String) -> String? { pairs.first { $0.name == name }?.value }

    package var dictionary: [String: String] {
        Dictionary(pairs.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    }
}

/// What one label set has that another has not.
package struct LabelDifference: Sendable, Hashable {
    package struct Change: Sendable, Hashable {
        package var name: String
        package var before: String
        package var after: String
    }

    package var added: [RecordedLabel] = []
    package var removed: [RecordedLabel] = []
    package var changed: [Change] = []

    package var isEmpty: Bool { added.isEmpty && removed.isEmpty && changed.isEmpty }
    /// Labels that differ.
    package var count: Int { added.count + removed.count + changed.count }

    package init(from before: RecordedLabels, to after: RecordedLabels) {
        var (left, right) = (0, 0)
        while left < before.pairs.count || right < after.pairs.count {
            let old = left < before.pairs.count ? before.pairs[left] : nil
            let new = right < after.pairs.count ? after.pairs[right] : nil
            if let old, let new, old.name == new.name {
                if old.value != new.value {
                    changed.append(Change(name: old.name, before: old.value, after: new.value))
                }
                left += 1
                right += 1
            } else if let old, new.map({ ByteOrder.precedes(old.name, $0.name) }) ?? true {
                removed.append(old)
                left += 1
            } else if let new {
                added.append(new)
                right += 1
            }
        }
    }
}
