//
// ReplicaView.swift: what this process is among the replicas, for its row in the ledger, metrics and pages.
//

import AllocationLedger
import PostgresDriver
import Synchronization

/// Reads what the parts of the process know at this moment.
package struct ReplicaView: Sendable {
    let id: UUID128
    let address: String
    let publisher: SnapshotPublisher
    let tail: LedgerTail
    let configuration: ConfigurationInForce

    package var report: ReplicaReport {
        let (status, served) = (publisher.status, publisher.current)
        let (behind, time) = tail.withLog { ($0.revisionsBehind, $0.timeBehind(now: .now)) }
        var (state, epoch) = (ReplicaReport.State.starting, Int64?.none)
        switch status.role {
        case .starting: break
        case .following: if served != nil { state = .following }
        case .leading(let term): (state, epoch) = (.leading, term)
        }
        let follows = epoch == nil
        return ReplicaReport(
            id: id, name: address, configuration: configuration.digest,
            applied: served.map { FollowerLog.Tip($0.head) }, state: state, epoch: epoch,
            behindRevisions: follows ? behind : 0,
            behindSeconds: follows ? (time ?? .zero) / .seconds(1) : 0, hearing: hearing)
    }

    /// How long ago what is served was last known to be the newest; nil while nothing is served.
    package var stateAge: Duration? {
        guard publisher.current != nil else { return nil }
        let status = publisher.status
        if case .leading = status.role {
            return status.staleness.map { $0.since.duration(to: .now) } ?? .zero
        }
        let confirmed = tail.withLog { $0.confirmedAt } ?? status.staleness?.since
        return confirmed.map { $0.duration(to: .now) } ?? .zero
    }

    private var hearing: ReplicaReport.Hearing {
        switch tail.hearing {
        case .connecting: .connecting
        case .listening: .listening
        case .pollingOnly: .polling
        }
    }

    /// Why revisions are polled for; nil where they are listened for.
    package var pollingReason: String? {
        if case .pollingOnly(let reason) = tail.hearing { reason } else { nil }
    }
}

/// The configuration that this process would record: known to the walk, asked for wherever the lease is.
final class ConfigurationInForce: Sendable {
    private let value: Mutex<Digest32>

    init(_ settings: WalkSettings) { value = Mutex(ConfigurationDocument(settings).record.digest) }

    var digest: Digest32 { value.withLock(\.self) }

    func replace(_ digest: Digest32) { value.withLock { $0 = digest } }
}
