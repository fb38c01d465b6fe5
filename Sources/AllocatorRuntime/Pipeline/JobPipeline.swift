//
// JobPipeline.swift: relabels and identifies what discovery found, on all cores.
//

import AllocationCore
import Discovery
import PrometheusConfig

/// The builders of all configured jobs: target groups in, identified targets out. Pure but for the label table, which
/// only grows.
struct JobPipeline: Sendable {
    /// What one batch came to.
    struct Result: Sendable {
        var updates: [JobUpdate] = []
        /// Targets that relabelling dropped, by job, among the groups of this batch.
        var dropped: [String: Int] = [:]
    }

    private struct Piece: Sendable {
        let job: Int
        let key: SourceKey
        let group: TargetGroup
    }

    /// Groups a task takes at a time: enough to outweigh the task, few enough to spread one job over the cores.
    private static let piecesPerTask = 2048

    private let builders: [String: TargetBuilder]

    /// - Throws: ``RelabelConfigError`` for a rule that does not compile; a validated configuration has none.
    init(scrapeConfigs: [ScrapeConfig], filterTargets: Bool, table: LabelTable) throws {
        var builders: [String: TargetBuilder] = [:]
        for config in scrapeConfigs {
            builders[config.jobName] = try TargetBuilder(
                scrapeConfig: config, filter: filterTargets, table: table)
        }
        self.builders = builders
    }

    func run(_ batch: DiscoveryBatch) async -> Result {
        var result = Result()
        var pieces: [Piece] = []
        for (job, delta) in batch.jobs.sorted(by: { ByteOrder.precedes($0.key, $1.key) })
        where builders[job] != nil {
            for (key, group) in delta.changed {
                pieces.append(
                    Piece(
                        job: result.updates.count,
                        key: AllocationCore.SourceKey(provider: key.provider.description, source: key.source),
                        group: group))
            }
            result.updates.append(JobUpdate(job: job, sources: [], isSynchronised: delta.isSynchronised))
        }
        let names = result.updates.map(\.job)
        var built: [(offset: Int, [SourceUpdate], dropped: [Int: Int])] = []
        if pieces.count <= Self.piecesPerTask {
            let (updates, dropped) = Self.build(pieces[...], names, builders)
            built = [(0, updates, dropped)]
        } else {
            await withTaskGroup(of: (Int, [SourceUpdate], [Int: Int]).self) { group in
                for start in stride(from: 0, to: pieces.count, by: Self.piecesPerTask) {
                    let slice = pieces[start..<min(start + Self.piecesPerTask, pieces.count)]
                    group.addTask { [builders] in
                        let (updates, dropped) = Self.build(slice, names, builders)
                        return (start, updates, dropped)
                    }
                }
                for await (start, updates, dropped) in group { built.append((start, updates, dropped)) }
            }
            built.sort { $0.offset < $1.offset }
        }
        for (offset, updates, dropped) in built {
            for (index, update) in updates.enumerated() {
                result.updates[pieces[offset + index].job].sources.append(update)
            }
            for (job, count) in dropped { result.dropped[names[job], default: 0] += count }
        }
        return result
    }

    private static func build(
        _ pieces: ArraySlice<Piece>, _ names: [String], _ builders: [String: TargetBuilder]
    ) -> ([SourceUpdate], [Int: Int]) {
        var scratch = RelabelScratch()
        var updates: [SourceUpdate] = []
        updates.reserveCapacity(pieces.count)
        var dropped: [Int: Int] = [:]
        for piece in pieces {
            var targets = ContiguousArray<IdentifiedTarget>()
            targets.reserveCapacity(piece.group.targets.count)
            if let builder = builders[names[piece.job]] {
                let count = builder.build(piece.group, scratch: &scratch, into: &targets)
                if count > 0 { dropped[piece.job, default: 0] += count }
            }
            updates.append(SourceUpdate(key: piece.key, targets: targets))
        }
        return (updates, dropped)
    }
}
