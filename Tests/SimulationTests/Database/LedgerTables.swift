//
// LedgerTables.swift: the ledger's tables as committed data, small enough to be copied at each commit.
//

import AllocationCore
import PostgresDriver

@testable import AllocationLedger

/// A target's place.
struct TargetPlace: Hashable, Comparable, Sendable {
    let job: String
    let identity: TargetIdentity

    static func < (a: TargetPlace, b: TargetPlace) -> Bool {
        a.job != b.job ? a.job < b.job : a.identity < b.identity
    }
}

/// What is stored of a target, by names.
struct TargetRow: Hashable, Sendable {
    var labels: LabelSet
    var address: LabelID?
    var collector: String?
}

struct TargetEventRow: Hashable, Sendable {
    var place: TargetPlace
    var before: TargetRow?
    var after: TargetRow?
    var reason: Reason
}

struct CollectorEventRow: Hashable, Sendable {
    var kind: CollectorChangeKind
    var name: String
}

struct RevisionRow: Sendable {
    var number: Int64
    var epoch: Int64
    var holder: UUID128
    var at: Timestamp
    var changeID: UUID128
    var cause: Cause
    var detail: String
    var occurredAt: Timestamp?
    var targets: [TargetEventRow]
    var collectors: [CollectorEventRow]
    var gaps: [Gap]
    var previous: Digest32
    var digest = Digest32.zero

    var head: LedgerHead { LedgerHead(revision: Revision(number), epoch: epoch, at: at, digest: digest) }

    /// Binds all that is in it and, through `previous`, all that came before.
    func sealed() -> RevisionRow {
        var bytes = ContiguousBytes()
        bytes.append(previous)
        bytes.append(number)
        bytes.append(epoch)
        bytes.append(at.microsecondsSince1970)
        bytes.append(Int64(bitPattern: changeID.high))
        bytes.append(Int64(bitPattern: changeID.low))
        bytes.append(occurredAt?.microsecondsSince1970 ?? -1)
        bytes.append(cause.rawValue)
        bytes.append(detail)
        for event in targets {
            bytes.append(event.place.job)
            bytes.append(Int64(bitPattern: event.place.identity.rawValue))
            bytes.append(event.before)
            bytes.append(event.after)
            bytes.append(Int64(event.reason.rawValue))
        }
        for event in collectors {
            bytes.append(event.name)
            bytes.append(Int64(event.kind.rawValue))
        }
        var copy = self
        copy.digest = Digest32.hash(bytes.bytes)
        return copy
    }
}

/// What a digest is taken over.
private struct ContiguousBytes {
    var bytes: [UInt8] = []

    mutating func append(_ number: Int64) { withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) } }

    mutating func append(_ digest: Digest32) { digest.withBytes { bytes.append(contentsOf: $0) } }

    mutating func append(_ text: String) {
        append(Int64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    mutating func append(_ row: TargetRow?) {
        guard let row else { return append(-1) }
        for id in row.labels.ids { append(Int64(id.rawValue)) }
        append(row.collector ?? "-")
    }
}

struct LeaseRow: Sendable {
    var holder = UUID128(high: 0, low: 0)
    var epoch: Int64 = 0
    var address = ""
    var expiresAt = Timestamp(microsecondsSince1970: 0)
    var renewedAt: Timestamp?
}

struct TermRow: Sendable {
    var epoch: Int64
    var holder: UUID128
    var address: String
    var acquiredAt: Timestamp
    /// As TermStart.certainUntil.
    var certainUntil: Timestamp
    /// Of the server that gave the lease.
    var timeline: Int
    var recordedUntil: Timestamp?
    var gapCause: Gap.Cause?
    var endReason: String?
}

/// Everything that is committed.
struct LedgerTables: Sendable {
    var lease = LeaseRow()
    var terms: [TermRow] = []
    var revisions: [RevisionRow] = []
    var targets: [TargetPlace: TargetRow] = [:]
    var collectors: Set<String> = []
    /// What a replica that does not lead has asked to be stated.
    var requests: [(id: UUID128, gap: Gap, isDone: Bool)] = []

    var head: LedgerHead? { revisions.last?.head }

    /// The term in which the tip was written; while nothing is recorded, the last one before that epoch on another server.
    func writer(before epoch: Int64) -> TermRow? {
        if let tip = revisions.last { return terms.last { $0.epoch == tip.epoch } }
        guard let own = terms.last(where: { $0.epoch == epoch }) else { return nil }
        return terms.last { $0.epoch < epoch && $0.timeline != own.timeline }
    }

    mutating func append(_ row: RevisionRow) {
        revisions.append(row)
        for event in row.targets { targets[event.place] = event.after }
        for event in row.collectors {
            switch event.kind {
            case .joined: collectors.insert(event.name)
            case .left: collectors.remove(event.name)
            case .ready, .notReady, .nodeChanged: break
            }
        }
    }

    func revision(of changeID: UUID128) -> RevisionRow? { revisions.last { $0.changeID == changeID } }
}
