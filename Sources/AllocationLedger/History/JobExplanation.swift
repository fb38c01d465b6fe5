//
// JobExplanation.swift: whether a job was configured, discovered and fetched, and where targets were lost on the way.
//

import PostgresDriver

/// One job's part of an explanation.
struct JobExplanation: Sendable {
    let job: String
    /// Jobs in force, with the rules that can drop targets; nil: not known.
    let configured: [String: [String]]?
    let point: RevisionPoint
    /// Discovery is told up to here.
    let moment: Timestamp
    /// Targets that discovery found and the allocation does not have may be the ones that are asked about.
    let isLossACause: Bool
    /// Also how many targets there are, and who never fetched.
    let wantsAllocation: Bool

    func facts(_ connection: isolated PostgresConnection) async throws -> [Explanation.Fact] {
        guard configured?[job] != nil || configured == nil else {
            return [
                .init(
                    .jobNotConfigured, "Job \(job) is not in the configuration of revision \(point.revision).",
                    job: job,
                    revision: point.revision.number, at: point.at)
            ]
        }
        var facts: [Explanation.Fact] = []
        if configured != nil {
            facts.append(
                .init(
                    .jobConfigured, "Job \(job) is in the configuration of revision \(point.revision).", job: job,
                    revision: point.revision.number, at: point.at))
        }
        let runs = try await runs(connection)
        let counts = try await counts(connection)
        facts += discovery(runs)
        facts += losses(runs, present: counts.values.reduce(0) { $0 + $1 })
        if wantsAllocation { facts += try await allocation(counts, connection) }
        return facts
    }

    // MARK: Discovery

    /// The run that each provider was in, newest first.
    private func runs(_ connection: isolated PostgresConnection) async throws -> [DiscoveryRun] {
        try await Self.runs(of: job, moment, connection)
    }

    private static func runs(
        of job: String, _ moment: Timestamp, _ connection: isolated PostgresConnection
    ) async throws -> [DiscoveryRun] {
        try await connection.query(
            """
            SELECT DISTINCT ON (provider, source) * FROM (\
            SELECT \(DiscoveryRun.columns), true AS open FROM ledger.discovery_run \
            WHERE job = \(job) AND first_at <= \(moment) UNION ALL \
            SELECT \(DiscoveryRun.columns), false FROM ledger.discovery_report \
            WHERE job = \(job) AND first_at <= \(moment)) AS runs \
            ORDER BY provider, source, first_at DESC LIMIT 100
            """
        ).map { try DiscoveryRun($0) }
    }

    private func discovery(_ runs: [DiscoveryRun]) -> [Explanation.Fact] {
        guard !runs.isEmpty else {
            return [
                .init(
                    .discoveryNeverSynchronised, "No result of the discovery of job \(job) is recorded.", job: job)
            ]
        }
        return runs.map { run in
            guard !run.succeeded else {
                return .init(
                    .discovered,
                    "\(run.provider) \(run.source) found \(run.targets) targets, \(run.rounds) times since \(run.firstAt).",
                    job: job, revision: run.revision, at: run.firstAt)
            }
            return .init(
                .discoveryFailed,
                "\(run.provider) \(run.source) fails since \(run.firstAt), \(run.rounds) times; the last targets stay.",
                job: job, revision: run.revision, at: run.firstAt, evidence: run.error)
        }
    }

    /// Targets that were found and are not in the allocation: dropped, or one with another of the same identity.
    private func losses(_ runs: [DiscoveryRun], present: Int64) -> [Explanation.Fact] {
        guard isLossACause || wantsAllocation, runs.allSatisfy(\.succeeded) else { return [] }
        let found = runs.reduce(0) { $0 + Int64($1.targets) }
        guard found > present else { return [] }
        let missing = found - present
        let rules = configured?[job] ?? []
        let dropped = runs.map { Int64($0.droppedByRelabelling) }.max() ?? 0
        let code: Explanation.Code = dropped > 0 || !rules.isEmpty ? .droppedByRelabelling : .duplicates
        let text: String
        if code == .duplicates {
            text =
                "Of \(found) targets that discovery found for job \(job), \(missing) have the labels of another one and "
                + "are one target with it."
        } else if dropped > 0 {
            text =
                "Of \(found) targets that discovery found for job \(job), \(missing) are not in the allocation; the rules "
                + "dropped \(dropped) of those that were looked at last."
        } else {
            text =
                "Of \(found) targets that discovery found for job \(job), \(missing) are not in the allocation: dropped by "
                + "the rules, or one with another of the same labels."
        }
        // Whoever asks about a job as a whole may well mean to drop some.
        let fact = Explanation.Fact(
            isLossACause ? code : .allocation, text, job: job, revision: point.revision.number, at: point.at,
            evidence: rules.isEmpty ? nil : rules.joined(separator: "; "))
        return [fact]
    }

    /// The configuration file, where it is refused and an older one stays in force.
    static func refusedConfiguration(
        _ moment: Timestamp, _ connection: isolated PostgresConnection
    ) async throws -> Explanation.Fact? {
        try await runs(of: "", moment, connection).first { !$0.succeeded }.map { run in
            .init(
                .configurationRefused,
                "The configuration file is refused since \(run.firstAt); the one before it stays in force.",
                revision: run.revision, at: run.firstAt, evidence: run.error)
        }
    }

    // MARK: Allocation

    /// The job's targets by the collector's number; 0 stands for none.
    private func counts(_ connection: isolated PostgresConnection) async throws -> [Int32: Int64] {
        guard let number = try await NameReader.job(named: job, connection) else { return [:] }
        try await RecordedBounds.read(connection).require(point.revision)
        let targets = try await connection.query("SELECT id FROM ledger.target WHERE job = \(number)")
            .map { try $0.decode(0, as: Int32.self) }
        let rows = try await JobListsQuery.rows(of: Set(targets), at: point, connection)
        return rows.reduce(into: [:]) { $0[$1.collector, default: 0] += 1 }
    }

    private func allocation(
        _ counts: [Int32: Int64], _ connection: isolated PostgresConnection
    ) async throws -> [Explanation.Fact] {
        let total = counts.values.reduce(0, +)
        var facts = [
            Explanation.Fact(
                .allocation, "Job \(job) has \(total) targets on \(counts.keys.count { $0 != 0 }) collectors.",
                job: job,
                revision: point.revision.number, at: point.at)
        ]
        if let unassigned = counts[0], unassigned > 0 {
            facts.append(
                .init(
                    .noCollector, "\(unassigned) targets of job \(job) have no collector.", job: job,
                    revision: point.revision.number, at: point.at))
        }
        var names = NameReader()
        try await names.read(jobs: [], collectors: counts.keys.filter { $0 != 0 }.map { $0 }, connection)
        let owners = Set(counts.keys.filter { $0 != 0 }.compactMap { names.collector($0) }).sorted()
        let silent = try await connection.query(
            """
            SELECT n.collector FROM unnest(\(owners)) AS n (collector) WHERE NOT EXISTS (SELECT FROM ledger.delivery d \
            WHERE d.collector = n.collector AND d.job = \(job) AND d.first_fetch_at <= \(moment)) ORDER BY 1 LIMIT 100
            """
        ).map { try $0.decode(0, as: String.self) }
        facts += silent.map { collector in
            .init(
                .notFetched, "\(collector) has targets of job \(job), and no fetch of them by it is recorded.",
                job: job,
                collector: collector)
        }
        return facts
    }
}
