//
// Explanation.swift: why a target or a job is not being scraped, as facts, each with its evidence.
//

import PostgresDriver

/// What the ledger knows about whether a target or a job was scraped at a moment.
package struct Explanation: Sendable, Hashable {
    /// What a fact says; a cause is one for which something is not scraped.
    package enum Code: String, Sendable, Hashable, CaseIterable {
        // Causes.
        case configurationRefused = "configuration_refused"
        case jobNotConfigured = "job_not_configured"
        case discoveryFailed = "discovery_failed"
        case discoveryNeverSynchronised = "discovery_never_synchronised"
        case neverDiscovered = "never_discovered"
        case droppedByRelabelling = "dropped_by_relabelling"
        case duplicates = "duplicates"
        case notYetDiscovered = "not_yet_discovered"
        case vanished = "vanished"
        case noCollector = "no_collector"
        case collectorGone = "collector_gone"
        case collectorNotReady = "collector_not_ready"
        case notFetched = "not_fetched"
        // Everything is as it should be.
        case jobConfigured = "job_configured"
        case discovered = "discovered"
        case assigned = "assigned"
        case fetched = "fetched"
        case allocation = "allocation"
        case more = "more"

        package var isCause: Bool {
            switch self {
            case .jobConfigured, .discovered, .assigned, .fetched, .allocation, .more: false
            default: true
            }
        }
    }

    package struct Fact: Sendable, Hashable {
        package var code: Code
        /// A sentence.
        package var text: String
        package var job: String?
        package var target: RecordedTarget?
        package var collector: String?
        /// The evidence: the revision that says so, and when that was or began.
        package var revision: Int64?
        package var at: Timestamp?
        /// A message or a rule, as recorded.
        package var evidence: String?

        package init(
            _ code: Code, _ text: String, job: String? = nil, target: RecordedTarget? = nil,
            collector: String? = nil, revision: Int64? = nil, at: Timestamp? = nil, evidence: String? = nil
        ) {
            self.code = code
            self.text = text
            self.job = job ?? target?.job
            self.target = target
            self.collector = collector
            self.revision = revision
            self.at = at
            self.evidence = evidence
        }
    }

    /// The revision in force at the moment.
    package var point: RevisionPoint
    /// Targets first, then jobs.
    package var facts: [Fact]

    /// Nothing was found for which something is not scraped.
    package var isWell: Bool { !facts.contains(where: \.code.isCause) }
}
