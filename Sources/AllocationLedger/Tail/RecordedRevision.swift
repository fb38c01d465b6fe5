//
// RecordedRevision.swift: one revision read back whole, with what binds it to the chain proved.
//

import AllocationCore
import PostgresDriver

/// A revision as another process recorded it.
///
/// Made by ``RevisionReader`` alone, which has computed every digest of it anew: it is what its digest says.
package struct RecordedRevision: Sendable {
    package let head: LedgerHead
    package let previousDigest: Digest32
    /// Code of the cause.
    package let cause: String
    package let causeDetail: String
    /// The process that recorded it.
    package let replica: UUID128
    package let change: RecordedChange
    /// Digest of the configuration in force.
    package let configuration: Digest32?

    /// Digests of the labels before, by target of the change; nil for a new target.
    let labelsBefore: ContiguousArray<Digest32?>
    /// What a writer that goes on from here has to know.
    let ids: Identifiers

    struct Identifiers: Sendable {
        struct Target: Sendable {
            var target: Int32
            var job: Int32
            /// 0 without one.
            var labelSetAfter: Int32
            /// The address in the target's row.
            var address: String
        }

        /// By target of the change.
        var targets: ContiguousArray<Target> = []
        var configuration: Int32?
        var ring: Int32
        var ringDigest: Digest32
    }

    package var link: FollowerLog.Link {
        FollowerLog.Link(
            revision: head.revision.number, previousDigest: previousDigest, digest: head.digest,
            unused: ForkRepair.unused(before: head.revision, cause: cause, detail: causeDetail))
    }

    /// Advances a state by this revision, whole or not at all.
    ///
    /// - Returns: Nil, and the state is as it was, when it is not the one before this revision: labels and collectors of
    ///   every target that changes are compared.
    package func apply(to state: inout AllocationState) -> AllocationChange? {
        var digester = RecordDigester()
        for (target, digest) in zip(change.targets, labelsBefore) {
            guard let digest else { continue }
            guard let known = state.target(target.identity, job: change.jobs[Int(target.job)]),
                digester.labelSet(known.labels, in: state.table) == digest
            else { return nil }
        }
        return state.apply(recorded: change)
    }
}

/// The revisions behind a place in the log, as one snapshot of the database showed them.
package struct TailBatch: Sendable {
    package let decision: FollowerLog.Decision
    /// Those to be applied, in order; none unless the decision says so.
    package let revisions: [RecordedRevision]
    /// Texts of configurations that they name, by digest.
    package let configurations: [Digest32: ConfigurationRecord]
}
