//
// FaultTable.swift: what was injected, and how long it took until all was well again.
//

/// Counts by kind of fault, printed at the end of a run.
struct FaultTable: Sendable {
    struct Entry: Sendable {
        var count = 0
        var withoutEffect = 0
        var shortest = Duration.seconds(1_000_000)
        var longest = Duration.zero
        var recovery = Duration.zero
        /// The largest of what was measured.
        var effect: (value: Int, unit: String) = (0, "")
    }

    private(set) var entries: [FaultKind: Entry] = [:]

    /// Faults that did something.
    var count: Int { entries.values.reduce(0) { $0 + $1.count - $1.withoutEffect } }

    /// - Parameters:
    ///   - effect: What it was seen to do; 0: nothing.
    ///   - recovery: From its end until every replica served what was recorded after it.
    mutating func add(_ kind: FaultKind, lasted: Duration, effect: FaultEffect, recovery: Duration) {
        var entry = entries[kind] ?? Entry()
        entry.count += 1
        if effect.value <= 0 { entry.withoutEffect += 1 }
        entry.shortest = min(entry.shortest, lasted)
        entry.longest = max(entry.longest, lasted)
        entry.recovery = max(entry.recovery, recovery)
        if effect.value >= entry.effect.value { entry.effect = (effect.value, effect.unit) }
        entries[kind] = entry
    }

    mutating func add(_ other: FaultTable) {
        for (kind, more) in other.entries {
            var entry = entries[kind] ?? Entry()
            entry.count += more.count
            entry.withoutEffect += more.withoutEffect
            entry.shortest = min(entry.shortest, more.shortest)
            entry.longest = max(entry.longest, more.longest)
            entry.recovery = max(entry.recovery, more.recovery)
            if more.effect.value >= entry.effect.value { entry.effect = more.effect }
            entries[kind] = entry
        }
    }

    var text: String {
        var lines = [
            "| fault | count | lasted | well again within | largest effect |", "| --- | --- | --- | --- | --- |",
        ]
        for kind in FaultKind.allCases {
            guard let entry = entries[kind] else { continue }
            let lasted = "\(Self.seconds(entry.shortest))-\(Self.seconds(entry.longest)) s"
            let none = entry.withoutEffect > 0 ? " (\(entry.withoutEffect) without effect)" : ""
            lines.append(
                "| \(kind.rawValue) | \(entry.count)\(none) | \(lasted) | \(Self.seconds(entry.recovery)) s "
                    + "| \(entry.effect.value) \(entry.effect.unit) |")
        }
        return lines.joined(separator: "\n")
    }

    static func seconds(_ duration: Duration) -> String {
        let tenths = Int((duration / .milliseconds(100)).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}

/// What a fault was seen to do.
struct FaultEffect: Sendable {
    var value: Int
    var unit: String
}
