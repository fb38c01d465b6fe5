//
// ReplicaReport.swift: what a process says of itself, to the others and to people.
//

import PostgresDriver

/// One process at one moment.
package struct ReplicaReport: Sendable, Hashable {
    /// Codes as they are stored.
    package enum State: String, Sendable, CaseIterable {
        /// Nothing is served yet.
        case starting
        case leading
        case following
        /// Follows, and does not ask for the lease: another configuration was recorded after its own.
        case superseded
    }

    /// How it hears of revisions; codes as they are stored.
    package enum Hearing: String, Sendable, CaseIterable {
        case connecting
        case listening
        case polling
    }

    package var id: UUID128
    /// Its address.
    package var name: String
    /// The configuration that it would record if it led.
    package var configuration: Digest32?
    /// The tip whose content it serves; nil while it serves nothing.
    package var applied: FollowerLog.Tip?
    package var state: State
    /// The term that it leads in.
    package var epoch: Int64?
    package var behindRevisions: Int64
    package var behindSeconds: Double
    package var hearing: Hearing

    package init(
        id: UUID128, name: String, configuration: Digest32?, applied: FollowerLog.Tip?, state: State, epoch: Int64?,
        behindRevisions: Int64, behindSeconds: Double, hearing: Hearing
    ) {
        self.id = id
        self.name = name
        self.configuration = configuration
        self.applied = applied
        self.state = state
        self.epoch = epoch
        self.behindRevisions = behindRevisions
        self.behindSeconds = behindSeconds
        self.hearing = hearing
    }
}

/// A replica as the ledger knows it.
package struct Replica: Sendable, Hashable {
    package var report: ReplicaReport
    /// The newest migration that it knows.
    package var version: String
    package var startedAt: Timestamp
    package var seenAt: Timestamp
    /// Whether it was heard of lately.
    package var isAlive: Bool
}
