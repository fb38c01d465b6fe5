//
// CollectorLoad.swift: how many targets each collector has, counted from a snapshot.
//

import AllocationCore
import AllocatorRuntime

/// Targets and jobs per collector at one revision.
struct CollectorLoad {
    struct Collector {
        let name: String
        let jobCount: Int
        let targetCount: Int
    }

    /// Every known collector, sorted by name; also those without a target.
    let collectors: [Collector]
    let unassignedCount: Int
    let targetCount: Int

    init(_ snapshot: AllocationSnapshot) {
        var jobs: [CollectorNumber: Int] = [:]
        var targets: [CollectorNumber: Int] = [:]
        var unassigned = 0
        for job in snapshot.jobs {
            unassigned += job.unassigned?.targets.count ?? 0
            for (collector, list) in job.lists {
                jobs[collector, default: 0] += 1
                targets[collector, default: 0] += list.targets.count
            }
        }
        collectors = snapshot.collectors.map { name in
            let number = snapshot.number(ofCollector: name)
            return Collector(
                name: name, jobCount: number.flatMap { jobs[$0] } ?? 0,
                targetCount: number.flatMap { targets[$0] } ?? 0)
        }
        unassignedCount = unassigned
        targetCount = targets.values.reduce(unassigned, +)
    }
}
