//
// LedgerWriter+Recovery.swift: what the database says when it is back, for the values that decide what follows.
//

import PostgresDriver

extension LedgerWriter {
    /// What the database holds of the revisions that were served last.
    ///
    /// - Parameter mayBeReadOnly: Whether a server that takes no writes will do.
    package func found(
        of served: ServedRevisions, mayBeReadOnly: Bool = false
    ) async throws -> ForkRepair.Found {
        try await LedgerError.translating {
            let connection = try await mayBeReadOnly ? readable() : connected()
            // One statement: one snapshot.
            let rows = try await connection.query(
                """
                SELECT h.revision, h.epoch, h.at, h.digest, (SELECT min(revision) FROM ledger.revision), v.revision, v.digest \
                FROM ledger.head h LEFT JOIN ledger.revision v \
                ON v.revision = ANY(\(served.items.map(\.revision.number))) WHERE h.name = 'allocator'
                """)
            guard let first = rows.first else { throw LedgerError.corrupted("ledger.head has no row") }
            let head = try LedgerQueries.head(first)
            var digests: [Int64: Digest32] = [:]
            for row in rows {
                guard let number = try row.decode(5, as: Int64?.self) else { continue }
                digests[number] = Digest32(try row.decode(6, as: [UInt8].self))
            }
            return ForkRepair.Found(
                head: head.revision.number == 0 ? nil : head,
                oldest: try first.decode(4, as: Int64?.self).map { Revision($0) }, digests: digests)
        }
    }

    /// Which of some texts, each a digest, no gap's detail contains.
    package func unstated(_ texts: [String]) async throws -> Set<String> {
        guard !texts.isEmpty else { return [] }
        let stated = try await LedgerError.translating {
            try await connected().query(
                """
                SELECT d FROM unnest(\(texts)::text[]) AS d \
                WHERE EXISTS (SELECT FROM ledger.gap WHERE position(d IN detail) > 0)
                """
            ).map { try $0.decode(0, as: String.self) }
        }
        return Set(texts).subtracting(stated)
    }

    /// Leaves a request to state a gap, for whoever leads.
    package func ask(toState gap: Gap, by who: String) async throws -> UUID128 {
        try await LedgerError.translating { try await OperatorQueries.ask(.state(gap), by: who, connected()) }
    }

    /// What has become of a request.
    package enum RequestFate: Sendable, Hashable {
        case open
        /// Answered, in whatever way.
        case done
        /// The database has lost it.
        case gone
    }

    package func fate(of request: UUID128) async throws -> RequestFate {
        try await LedgerError.translating {
            switch try await OperatorQueries.find(request, connected())?.state {
            case .done?: .done
            case .asked?, .taken?: .open
            case nil: .gone
            }
        }
    }

    /// What was recorded since a journal began.
    package func since(_ journal: OutageJournal) async throws -> OutageJournal.Since {
        try await LedgerError.translating {
            let base = journal.base.head
            let rows = try await connected().query(
                """
                SELECT revision, digest, change_id, replica, target_events + collector_events > 0 \
                OR (ring, configuration) IS DISTINCT FROM (lag(ring) OVER w, lag(configuration) OVER w) FROM \
                (SELECT * FROM ledger.revision WHERE revision >= \(base.revision.number) AND at >= \(base.at) \
                ORDER BY revision LIMIT \(journal.revisionsToRead + 2)) v WINDOW w AS (ORDER BY revision) ORDER BY revision
                """)
            var since = OutageJournal.Since(digestAtBase: nil, revisions: [])
            for row in rows {
                if try row.decode(0, as: Int64.self) == base.revision.number {
                    since.digestAtBase = Digest32(try row.decode(1, as: [UInt8].self))
                } else {
                    since.revisions.append(
                        OutageJournal.RecordedRevision(
                            changeID: try row.decode(2), replica: try row.decode(3), changesState: try row.decode(4)))
                }
            }
            return since
        }
    }
}
