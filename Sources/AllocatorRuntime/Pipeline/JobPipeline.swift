//
// JobPipeline.swift: relabels and identifies what discovery found, on all cores.
//

import AllocationCore
import Discovery
import PrometheusConfig

/// The builders of all configured jobs: target groups in, identified targets out. Pure but for the label table, which
/// only grows.
package struct JobPipeline: Sendable {
    /// One group of one job on its way.
    package struct Piece: Sendable {
        package let job: String
        package let key: AllocationCore.SourceKey
        package let group: TargetGroup

        package init(job: String, key: AllocationCore.SourceKey, group: TargetGroup) {
            self.job = job
            self.key = key
            self.group = group
        }
    }

    private struct Slice: Sendable {
        let index: Int
        var updates: [JobUpdate] = []
        /// Targets that relabelling dropped, by job.
        var dropped: [String: Int] = [:]
    }

    /// Groups a task takes at a time: enough to outweigh the task, few enough to spread one job over the cores and to
    /// be allocated while still in the cache.
    private static let piecesPerSlice = 1024
    /// Slices that are relabelled while others are allocated; bounds what waits in between.
    private static let slicesAtOnce = 4

    private let builders: [String: TargetBuilder]

    /// - Throws: ``RelabelConfigError`` for a rule that does not compile; a validated configuration has none.
    package init(scrapeConfigs: [ScrapeConfig], filterTargets: Bool, table: LabelTable) throws {
        var builders: [String: TargetBuilder] = [:]
        for config in scrapeConfigs {
            builders[config.jobName] = try TargetBuilder(scrapeConfig: config, filter: filterTargets, table: table)
        }
        self.builders = builders
    }

    func has(job: String) -> Bool { builders[job] != nil }

    /// Relabels `pieces` and hands the results to `deliver`, in the order of the pieces.
    ///
    /// - Parameters:
    ///   - pieces: Groups of configured jobs, those of one job next to each other.
    ///   - deliver: Runs on the caller while further slices are being relabelled.
    /// - Returns: The number of targets that relabelling dropped, by job.
    package func run(
        _ pieces: [Piece], isolation: isolated (any Actor)? = #isolation, deliver: (JobUpdate) -> Void
    ) async -> [String: Int] {
        var dropped: [String: Int] = [:]
        let count = (pieces.count + Self.piecesPerSlice - 1) / Self.piecesPerSlice
        if count <= 1 {
            let slice = Self.build(0, pieces[...], builders)
            for update in slice.updates { deliver(update) }
            return slice.dropped
        }
        await withTaskGroup(of: Slice.self) { group in
            var started = 0
            func startNext() {
                guard started < count else { return }
                let (index, start) = (started, started * Self.piecesPerSlice)
                let part = pieces[start..<min(start + Self.piecesPerSlice, pieces.count)]
                group.addTask { [builders] in Self.build(index, part, builders) }
                started += 1
            }
            for _ in 0..<Self.slicesAtOnce { startNext() }
            var waiting: [Int: Slice] = [:]
            var next = 0
            while let slice = await group.next() {
                waiting[slice.index] = slice
                while let ready = waiting.removeValue(forKey: next) {
                    startNext()
                    for update in ready.updates { deliver(update) }
                    for (job, count) in ready.dropped { dropped[job, default: 0] += count }
                    next += 1
                }
            }
        }
        return dropped
    }

    private static func build(
        _ index: Int, _ pieces: ArraySlice<Piece>, _ builders: [String: TargetBuilder]
    ) -> Slice {
        var slice = Slice(index: index)
        var scratch = RelabelScratch()
        for piece in pieces {
            guard let builder = builders[piece.job] else { continue }
            var targets = ContiguousArray<IdentifiedTarget>()
            targets.reserveCapacity(piece.group.targets.count)
            let dropped = builder.build(piece.group, scratch: &scratch, into: &targets)
            if dropped > 0 { slice.dropped[piece.job, default: 0] += dropped }
            let update = SourceUpdate(key: piece.key, targets: targets)
            if slice.updates.last?.job == piece.job {
                slice.updates[slice.updates.count - 1].sources.append(update)
            } else {
                slice.updates.append(JobUpdate(job: piece.job, sources: [update], isSynchronised: false))
            }
        }
        return slice
    }
}
