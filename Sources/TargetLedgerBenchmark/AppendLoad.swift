//
// AppendLoad.swift: revisions of a size that is chosen, as many as are asked for.
//

import AllocationCore
import AllocationLedger
import Foundation

/// Targets of 20 labels in one job, of which a few at a time get labels that they never had: two dictionary rows and one
/// event each.
struct AppendLoad: Sendable {
    static let job = "shop"
    private static let targets = 2_000

    let writer: LedgerWriter
    private let table = LabelTable()
    private let token: FencingToken
    private var state: AllocationState
    private var generation = 0
    /// The target that changes next.
    private var next = 0

    /// Records collectors and all targets.
    init(_ ledger: BenchmarkLedger) async throws {
        token = ledger.token
        writer = ledger.writer(table)
        state = AllocationState(table: table, strategy: GeneratedAllocation.strategy)
        _ = try await writer.load(into: AllocationLoader(table: table, strategy: GeneratedAllocation.strategy))
        let join = state.apply(
            collectors: (0..<10).map { Collector(name: "collector-\($0)") }, isSynchronised: true,
            evidence: "generated")
        _ = try await writer.append(
            RevisionDraft(change: join, cause: .membership, causeDetail: "generated"), fencedBy: token)
        _ = try await append(changes: Self.targets)
    }

    /// - Returns: The revision, and the seconds that recording it took.
    mutating func append(changes: Int) async throws -> (revision: Int64, seconds: Double) {
        let sources = (0..<changes).map { _ in
            defer { next = (next + 1) % Self.targets }
            if next == 0 { generation += 1 }
            return SourceUpdate(
                key: SourceKey(provider: "generated", source: "\(next)"), targets: [target(next, generation)])
        }
        let change = state.apply(discovery: [JobUpdate(job: Self.job, sources: sources, isSynchronised: true)])
        precondition(change.targets.count == changes, "\(change.targets.count) changes instead of \(changes)")
        let start = ContinuousClock.now
        let committed = try await writer.append(
            RevisionDraft(change: change, cause: .discovery, causeDetail: "generated"), fencedBy: token)
        return (committed.head.revision.number, start.duration(to: .now).seconds)
    }

    private func target(_ number: Int, _ generation: Int) -> IdentifiedTarget {
        let address = "10.0.\(number >> 8).\(number & 255):9100"
        var labels = ["__address__": address, "instance_id": "i-\(number)", "generation": "\(generation)"]
        for index in 0..<17 { labels["label_\(index)"] = "value-\(index)-\(number % 50)" }
        let set = LabelSet(labels, in: table)
        return IdentifiedTarget(
            identity: TargetIdentity(rawValue: XXH64.hash("\(number)")), labels: set,
            address: set.value(of: table.nameID(for: "__address__"), in: table))
    }
}
