//
// StateSnapshot.swift: takes the whole state from time to time, so that an old state is made from one nearby.
//
// A snapshot says nothing that the events do not say; it only saves reading them. It is made by the server out of the
// current state, in one statement and so of exactly one revision, beside the walk: no append waits for it. It is fenced
// like every write, because only the leader's ledger goes on.
//

import Logging
import PostgresDriver

/// When the next snapshot is worth its rows.
struct SnapshotPolicy: Sendable {
    /// Fewer events are read faster than a snapshot.
    var eventsMin: Int64 = 50_000

    /// - Parameters:
    ///   - events: Since the last snapshot, or in all.
    ///   - targets: How many there are, about.
    ///   - isNewDay: The last snapshot is of another day than the tip, so retention may remove it before.
    func isDue(events: Int64, targets: Int64, isNewDay: Bool) -> Bool {
        // Reading half a state's worth of events takes about as long as reading a state.
        events > 0 && (isNewDay || events >= max(eventsMin, targets / 2))
    }
}

/// Snapshots of the state: `ledger.state_snapshot`.
package enum StateSnapshot {
    /// Targets whose numbers differ in no more than these bits share a row.
    static let blockBits: Int32 = 12

    /// Takes a snapshot of the state as it is, unless that is there already.
    ///
    /// - Throws: ``LedgerError/fenced(_:)``; a check violation where the revision's day has no partition.
    package static func take(fencedBy token: FencingToken, _ connection: PostgresConnection) async throws {
        try await connection.transaction(deadline: .now + .seconds(300)) { @Sendable connection in
            try await LedgerQueries.fence(token, connection)
            // One statement sees one moment: head and state belong together.
            _ = try await connection.query(
                """
                INSERT INTO ledger.state_snapshot (at, revision, block, targets, collectors, label_sets) \
                SELECT h.at, h.revision, s.block, s.targets, s.collectors, s.label_sets FROM ledger.head h, \
                (SELECT target >> \(blockBits) AS block, array_agg(target) AS targets, \
                array_agg(coalesce(collector, 0)) AS collectors, array_agg(label_set) AS label_sets \
                FROM (SELECT target, collector, label_set FROM ledger.current_target ORDER BY target) c GROUP BY 1) s \
                WHERE h.name = 'allocator' AND h.revision > 0 ON CONFLICT DO NOTHING
                """)
        }
    }

    /// Whether the policy asks for one now.
    static func isDue(_ policy: SnapshotPolicy, _ connection: PostgresConnection) async throws -> Bool {
        let row = try await connection.query(
            """
            SELECT coalesce((SELECT sum(r.target_events) FROM ledger.revision r \
            WHERE r.at > coalesce(s.at, '-infinity')), 0)::bigint, \
            (SELECT greatest(c.reltuples, 0)::bigint FROM pg_class c WHERE c.oid = 'ledger.current_target'::regclass), \
            (s.at AT TIME ZONE 'UTC')::date IS DISTINCT FROM (h.at AT TIME ZONE 'UTC')::date FROM ledger.head h \
            LEFT JOIN LATERAL (SELECT at FROM ledger.state_snapshot ORDER BY at DESC LIMIT 1) s ON true \
            WHERE h.name = 'allocator' AND h.revision > 0
            """
        ).first
        guard let row else { return false }
        return policy.isDue(
            events: try row.decode(0, as: Int64.self), targets: try row.decode(1, as: Int64.self),
            isNewDay: try row.decode(2, as: Bool.self))
    }
}

/// Takes the snapshots of a process while it leads, over a session of its own.
package actor SnapshotKeeper {
    private let configuration: PostgresConfiguration
    private let policy = SnapshotPolicy()
    private let logger: Logger
    private var connection: PostgresConnection?
    /// Why the last attempt failed; nil after one that did not.
    private var fault: String?

    package init(configuration: PostgresConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Takes one if it is due. One that cannot be taken is missed by nobody but in time, so faults are only logged.
    package func takeIfDue(fencedBy token: FencingToken) async {
        do {
            let connection = try await connected()
            if try await StateSnapshot.isDue(policy, connection) {
                let started = ContinuousClock.now
                try await StateSnapshot.take(fencedBy: token, connection)
                logger.debug("state snapshot taken", metadata: ["duration": "\(started.duration(to: .now))"])
            }
            fault = nil
        } catch {
            guard fault != "\(error)" else { return }
            fault = "\(error)"
            logger.info("no snapshot of the state can be taken now", metadata: ["error": "\(error)"])
        }
    }

    /// Ends the session.
    package func close() async {
        await connection?.close()
        connection = nil
    }

    private func connected() async throws -> PostgresConnection {
        if let connection, await connection.checkUsable() { return connection }
        let fresh = try await PostgresConnection.connect(configuration, logger: logger)
        connection = fresh
        return fresh
    }
}
