//
// AllocationState+Reading.swift: walks the whole state, for a first snapshot and for tests.
//

extension AllocationState {
    /// Job names by ``JobNumber``.
    package var jobNames: [String] { jobs.map(\.name) }

    /// Collectors by ``CollectorNumber``, those that left included.
    package var collectorTable: [Collector] { collectors.all }

    /// Whether every provider of the job has shown what it has.
    package func isSynchronised(job name: String) -> Bool {
        jobs.first { $0.name == name }?.isSynchronised ?? false
    }

    /// Jobs of which it is known what they have: synchronised in this process, or with targets in the ledger.
    package var jobsKnownToBeComplete: Set<String> {
        Set(jobs.lazy.filter { $0.isSynchronised || $0.count > 0 }.map(\.name))
    }

    /// Calls `body` for each target of each job.
    package func forEachTarget(_ body: (JobNumber, TargetIdentity, TargetState) throws -> Void) rethrows {
        for job in jobs {
            for slot in job.slots.indices where job.slots[slot].isUsed {
                try body(job.number, job.slots[slot].identity, job.state(of: Int32(slot)))
            }
        }
    }
}
