//
// GeneratedAllocation.swift: generated targets on their way through the pipeline into an allocation.
//

import AllocationCore
import AllocatorRuntime
import PrometheusConfig

/// Upstream's shape of targets with the configuration of their jobs, and the allocation that they come into.
struct GeneratedAllocation {
    let generated: GeneratedTargets
    private let pipeline: JobPipeline
    private(set) var state: AllocationState

    static let strategy = StrategyConfiguration.consistentHashing(.v1)

    /// - Parameter rules: Relabel rules of each job; 0 or 1.
    init(targets: Int, rules: Int = 0) throws {
        let table = LabelTable()
        generated = GeneratedTargets(table: table, count: targets)
        let rule = rules == 0 ? "" : "relabel_configs: [{source_labels: [env], regex: prod.*, action: keep}], "
        let yaml =
            "scrape_configs:\n"
            + generated.jobNames.map { "- {job_name: \($0), \(rule)static_configs: [{targets: ['a:1']}]}" }
            .joined(separator: "\n")
        let configuration = try PrometheusConfiguration.decode(yaml: yaml, file: "generated.yaml")
        pipeline = try JobPipeline(scrapeConfigs: configuration.scrapeConfigs, filterTargets: true, table: table)
        state = AllocationState(table: table, strategy: Self.strategy)
    }

    /// Makes `count` collectors present.
    mutating func join(_ count: Int) -> AllocationChange {
        state.apply(
            collectors: (0..<count).map { Collector(name: "collector-\($0)") }, isSynchronised: true,
            evidence: "generated")
    }

    mutating func discover(_ pieces: [JobPipeline.Piece]) async -> AllocationChange {
        state.beginDiscovery()
        _ = await pipeline.run(pieces) { state.add($0) }
        return state.finishDiscovery()
    }
}
