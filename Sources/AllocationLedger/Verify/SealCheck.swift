//
// SealCheck.swift: whether what is gone was dropped by retention, and says so in the chain.
//
// A dropped partition counts as declared when its seal is there and a kept revision of cause `operator` names the seal's
// digest, or when it lies before a partition of revisions of which both is true: the chain goes on from there.
//

import AllocationCore
import PostgresDriver

struct SealCheck {
    /// Of which partitions verify speaks.
    static let tables: Set<String> = ["revision", "target_event", "collector_event"]

    private var seals: [String: SealRecord] = [:]
    private var mentioned: Set<String> = []
    /// Those of revisions.
    private var byLast: [Int64: SealRecord] = [:]
    /// The last revision that the seals account for; 0: all are there.
    private(set) var dropped: Int64 = 0

    mutating func take(_ seal: SealRecord) {
        seals[seal.partition] = seal
        if seal.tree != nil, let last = seal.lastRevision, seal.rows > 0 { byLast[last] = seal }
    }

    /// Notes the seals that a revision names as dropped, and compares those that end with it.
    mutating func take(_ row: RevisionRow, _ tree: MerkleTree?, _ log: inout VerificationLog) {
        compare(row, tree, &log)
        guard row.cause == Cause.operator.rawValue, row.causeDetail.hasPrefix(SealRecord.dropMark) else { return }
        var rest = Substring(row.causeDetail)
        while let place = rest.firstRange(of: "seal ") {
            rest = rest[place.upperBound...]
            let digest = rest.prefix(2 * Digest32.byteCount)
            if digest.utf8.count == 2 * Digest32.byteCount { mentioned.insert("seal \(digest)") }
        }
    }

    /// A seal of what is still there has to say what is there.
    private func compare(_ row: RevisionRow, _ tree: MerkleTree?, _ log: inout VerificationLog) {
        guard let seal = byLast[row.revision] else { return }
        if seal.digest != row.digest || (tree != nil && seal.tree != tree?.edge) {
            log.find(
                .altered, in: .control("seal"), revision: row.revision,
                "the seal of \(seal.partition) says otherwise of its end")
        }
    }

    /// The seal of what is gone before `revision`, which is the first that is kept.
    mutating func prefix(endingBefore revision: Int64) -> SealRecord? {
        guard let seal = revisionSeals.first(where: { $0.lastRevision == revision - 1 }) else { return nil }
        dropped = revision - 1
        return seal
    }

    func has(_ partition: String, notAmong present: Set<String>) -> Bool {
        seals[partition] != nil && !present.contains(partition)
    }

    private var revisionSeals: [SealRecord] {
        seals.values.filter { $0.partition.hasPrefix("revision_") }.sorted { $0.from < $1.from }
    }

    /// Says of each dropped partition whether it was declared.
    func finish(_ partitions: Set<PartitionRow>, _ log: inout VerificationLog) {
        log.add(rows: Int64(seals.count), to: .control("seal"))
        let present = Set(partitions.map(\.name))
        let gone = seals.values.filter { !present.contains($0.partition) }.sorted { $0.partition < $1.partition }
        let newestBound = revisionSeals.last { mentioned.contains($0.mention) }
        for seal in gone {
            guard let part = part(of: seal) else { continue }
            let isBound = mentioned.contains(seal.mention) || newestBound.map { seal.to <= $0.from } == true
            let revisions =
                if let first = seal.firstRevision, let last = seal.lastRevision {
                    ", revisions \(first) to \(last)"
                } else { "" }
            let what = "dropped with \(seal.rows) rows\(revisions); sealed"
            if isBound {
                log.find(.declaredGap, in: part, "\(what), and recorded by a revision")
            } else {
                log.find(.missing, in: part, "\(what), but no revision records that seal")
            }
        }
        for seal in revisionSeals where seal.rows > 0 && present.contains(seal.partition) {
            if let last = seal.lastRevision, last <= dropped, let part = part(of: seal) {
                log.find(
                    .missing, in: part, revision: seal.firstRevision,
                    "its row in ledger.revision is gone, up to revision \(last); the partition is sealed and not dropped"
                )
            }
        }
        checkHoles(&log)
    }

    private func part(of seal: SealRecord) -> VerificationLog.Part? {
        guard let day = UTCDay.named(seal.partition) else { return nil }
        let table = String(seal.partition.dropLast(9))
        return Self.tables.contains(table) ? .day(day, table) : nil
    }

    /// Seals of revisions have to follow each other up to what is kept.
    private func checkHoles(_ log: inout VerificationLog) {
        var expected: Int64 = 1
        for seal in revisionSeals {
            guard let first = seal.firstRevision, let last = seal.lastRevision, last <= dropped else { continue }
            if first != expected, let part = part(of: seal) {
                log.find(
                    .missing, in: part, revision: expected,
                    "no seal accounts for it; the next one begins with revision \(first)")
            }
            expected = last + 1
        }
    }
}
