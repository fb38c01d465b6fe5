//
// RevisionDraft.swift: what is handed to the ledger to be recorded, and what comes back.
//

import AllocationCore
import PostgresDriver

/// The configuration in force, without secrets.
package struct ConfigurationRecord: Sendable, Hashable {
    /// SHA-256 of the text.
    package let digest: Digest32
    package let redactedText: String

    package init(redactedText: String) {
        var text = redactedText
        digest = text.withUTF8 { Digest32.hash(UnsafeRawBufferPointer($0)) }
        self.redactedText = redactedText
    }
}

/// One discovery result of one job.
package struct DiscoveryReportDraft: Sendable, Hashable {
    package var job: String
    /// The mechanism: `file`, `http`, …
    package var provider: String
    /// What was asked: patterns, or a URL without credentials.
    package var source: String
    package var succeeded: Bool
    package var targets: Int
    package var added: Int
    package var removed: Int
    package var droppedByRelabelling: Int
    package var error: String?
    package var durationSeconds: Double
    package var at: Timestamp

    package init(
        job: String, provider: String, source: String, succeeded: Bool, targets: Int, added: Int = 0, removed: Int = 0,
        droppedByRelabelling: Int = 0, error: String? = nil, durationSeconds: Double, at: Timestamp
    ) {
        self.job = job
        self.provider = provider
        self.source = source
        self.succeeded = succeeded
        self.targets = targets
        self.added = added
        self.removed = removed
        self.droppedByRelabelling = droppedByRelabelling
        self.error = error
        self.durationSeconds = durationSeconds
        self.at = at
    }
}

/// One revision to be.
package struct RevisionDraft: Sendable {
    /// Made by the writer once; a commit of unknown outcome is looked up by it instead of being repeated.
    package var changeID: UUID128
    package var change: AllocationChange
    package var cause: Cause
    package var causeDetail: String
    /// When it happened, if that was long before it is recorded.
    package var occurredAt: Timestamp?
    /// Nil: the configuration stays.
    package var configuration: ConfigurationRecord?
    package var reports: [DiscoveryReportDraft]
    /// The number that it has to have. Nil, but for a revision that repairs a fork: the next one.
    package var number: Revision?
    /// What is written with it; what it says must follow from `causeDetail`.
    package var attachments: [RevisionAttachment]

    package init(
        changeID: UUID128 = .random(), change: AllocationChange, cause: Cause, causeDetail: String,
        occurredAt: Timestamp? = nil, configuration: ConfigurationRecord? = nil, reports: [DiscoveryReportDraft] = [],
        attachments: [RevisionAttachment] = []
    ) {
        self.changeID = changeID
        self.change = change
        self.cause = cause
        self.causeDetail = causeDetail
        self.occurredAt = occurredAt
        self.configuration = configuration
        self.reports = reports
        self.attachments = attachments
    }

    /// The first revision of a term: changes nothing, and states the gap before it.
    package init(_ start: TermStart, placement: Placement) {
        self.init(
            change: AllocationChange(placement: placement), cause: .termStart, causeDetail: start.detail,
            attachments: start.gap.map { [$0.attachment] } ?? [])
    }

    /// The first revision after lost ones: leaves out every number that may have been served, and says so.
    ///
    /// - Parameter gap: Of cause `fork`; see ``ForkRepair/statement(skipping:lost:)``.
    package init(fork gap: Gap, number: Revision, change: AllocationChange, configuration: ConfigurationRecord?) {
        self.init(
            change: change, cause: .forkRepaired, causeDetail: gap.statement, configuration: configuration,
            attachments: [gap.attachment])
        self.number = number
    }

    /// A gap within a term, stated when it is over.
    package init(_ gap: Gap, placement: Placement) {
        self.init(
            change: AllocationChange(placement: placement), cause: .outageRecovered, causeDetail: gap.statement,
            attachments: [gap.attachment])
    }
}

/// A revision that is committed.
package struct CommittedRevision: Sendable, Hashable {
    package let head: LedgerHead

    package init(head: LedgerHead) { self.head = head }
}

/// What a restart finds.
package struct LoadedLedger: Sendable {
    package var state: AllocationState
    /// Nil while nothing is recorded.
    package var head: LedgerHead?
    package var configuration: ConfigurationRecord?
    package var placement: Placement?
}
