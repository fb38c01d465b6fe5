//
// SimulationRun.swift: the outcome of one seed, and of many.
//

/// What came of one seed.
struct SimulationRun: Sendable {
    let seed: UInt64
    let violation: Violation?
    let trace: [String]
    let events: Int
    let commits: Int
    let publications: Int
    let faults: Int

    /// - Parameter scope: Nil: the seed's own.
    init(
        seed: UInt64, scope: FaultPlan.Scope? = nil, mutations: Mutations = [], isTraced: Bool = false
    ) {
        let cluster = Cluster(
            seed: seed, scope: scope ?? FaultPlan.Scope(seed: seed), mutations: mutations, isTraced: isTraced)
        cluster.run()
        self.seed = seed
        violation = cluster.simulation.violation
        trace = cluster.simulation.trace ?? []
        events = cluster.simulation.eventCount
        commits = cluster.oracle.commitCount
        publications = cluster.oracle.publishCount
        faults = cluster.faultCount
    }

    /// What broke and how to see it again.
    var explanation: String {
        """
        seed \(seed): \(violation?.description ?? "nothing broke")
        replay it: TARGET_LEDGER_SIMULATION_SEED=\(seed) swift test --filter SimulationTests
        """
    }
}

/// What came of many seeds.
struct SimulationReport: Sendable {
    private(set) var runs = 0
    private(set) var events = 0
    private(set) var commits = 0
    private(set) var publications = 0
    private(set) var faults = 0
    /// By seed.
    private(set) var failures: [SimulationRun] = []

    /// Runs them on as many threads as there are processors.
    static func run(
        seeds: ClosedRange<UInt64>, threads: Int = 2
    ) async -> SimulationReport {
        await withTaskGroup(of: SimulationReport.self) { group in
            for thread in 0..<UInt64(threads) {
                group.addTask {
                    var report = SimulationReport()
                    // In turns of two, so that each thread has as much of either scope.
                    for seed in seeds where seed / 2 % UInt64(threads) == thread {
                        report.add(SimulationRun(seed: seed))
                    }
                    return report
                }
            }
            var whole = SimulationReport()
            for await part in group { whole.add(part) }
            whole.failures.sort { $0.seed < $1.seed }
            return whole
        }
    }

    private mutating func add(_ run: SimulationRun) {
        runs += 1
        events += run.events
        commits += run.commits
        publications += run.publications
        faults += run.faults
        if run.violation != nil { failures.append(run) }
    }

    private mutating func add(_ other: SimulationReport) {
        runs += other.runs
        events += other.events
        commits += other.commits
        publications += other.publications
        faults += other.faults
        failures += other.failures
    }

    var summary: String {
        "\(runs) seeds, \(faults) faults, \(events) events, \(commits) revisions, \(publications) publications, "
            + "\(failures.count) seeds broke a rule"
    }
}
