//
// StaticGroups.swift: `static_configs` as target groups (spec/prometheus-sd.md 5).
//

import AllocationCore
import PrometheusConfig

/// Group i of a job has source `i`; its targets carry `__address__` and nothing else.
enum StaticGroups {
    static func packed(_ elements: [StaticConfig], table: LabelTable) -> PackedGroups {
        var groups = PackedGroups()
        for (slot, element) in elements.enumerated() {
            let targets = element.targets.map { LabelSet(sortedUnique: [table.intern("__address__", $0)]) }
            _ = groups.set(slot, labels: LabelSet(element.labels, in: table), targets: targets)
        }
        return groups
    }
}
