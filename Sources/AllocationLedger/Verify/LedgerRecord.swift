//
// LedgerRecord.swift: everything that a verification needs, row by row, wherever the rows come from.
//
// The database and an export hand out the same records in the same order, and one verifier takes them; so both give the
// same verdicts. The order: partitions, head, dictionaries, terms, gaps, seals, witnesses, then blocks of consecutive
// revisions (the revisions, their target events, their collector events), then the current state.
//

import AllocationCore
import PostgresDriver

/// One row.
enum LedgerRecord: Sendable {
    case partition(PartitionRow)
    case head(LedgerHead)
    case job(id: Int32, name: String)
    case collector(id: Int32, name: String, uid: String)
    case configuration(id: Int32, digest: Digest32?, text: String)
    case ring(id: Int32, digest: Digest32?, Placement)
    case target(id: Int32, job: Int32, identity: UInt64, address: String)
    case labelSet(id: Int32, digest: Digest32?, [LabelPair])
    case term(Term)
    case gap(Gap)
    case seal(SealRecord)
    /// The highest revision that another table names.
    case witness(table: String, revision: Int64)
    /// All rows up to this revision follow, and none of a revision up to the last block's.
    case block(last: Int64)
    case revision(RevisionRow)
    case targetEvent(TargetEventRow)
    case collectorEvent(CollectorEventRow)
    case currentRule(configuration: Int32?, ring: Int32)
    case currentCollector(collector: Int32, node: String?, since: Int64)
    case currentTarget(target: Int32, collector: Int32?, labelSet: Int32, since: Int64)
}

/// A partition of history, by day.
struct PartitionRow: Sendable, Hashable {
    /// Of which table: `revision`, `target_event`, …
    var table: String
    var name: String
}

/// A pair of a label set.
enum LabelPair: Sendable, Hashable {
    case pair(name: [UInt8], value: [UInt8])
    /// The set names this row of `ledger.label`, and it is not there.
    case gone(id: Int32)
}

/// One row of `ledger.revision`; rule and configuration by id.
struct RevisionRow: Sendable {
    var revision: Int64
    var at: Timestamp
    var epoch: Int64
    var changeID: UUID128
    var cause: String
    var causeDetail: String
    var occurredAt: Timestamp?
    var replica: UUID128
    var ring: Int32
    var configuration: Int32?
    var counts: RevisionCounts
    var eventsDigest: Digest32?
    var previousDigest: Digest32?
    var digest: Digest32?
}

extension RevisionRow {
    /// Numbers before it that it declares never to be used; nil where it repairs no fork.
    var unused: ClosedRange<Int64>? {
        cause == Cause.forkRepaired.rawValue ? ForkRepair.skipped(in: causeDetail) : nil
    }
}

/// One row of `ledger.target_event`; 0 where a reference is NULL.
struct TargetEventRow: Sendable, Hashable {
    var revision: Int64
    var ordinal: Int32
    var at: Timestamp
    var target: Int32
    var collectorBefore: Int32
    var collectorAfter: Int32
    var labelSetBefore: Int32
    var labelSetAfter: Int32
    var leaf: Int32
    var reason: Int16
    var flags: Int16
}

/// One row of `ledger.collector_event`.
struct CollectorEventRow: Sendable, Hashable {
    var revision: Int64
    var ordinal: Int32
    var at: Timestamp
    var collector: Int32
    var leaf: Int32
    var kind: Int16
    var node: String?
    var evidence: String
}

/// Takes records one by one.
protocol LedgerRecordSink: AnyObject {
    func take(_ record: LedgerRecord) throws

    /// Called every few thousand records, where waiting is allowed: whoever passes them on does so here.
    nonisolated(nonsending) func drain() async throws
}

extension LedgerRecordSink {
    nonisolated(nonsending) func drain() async throws {}
}
