//
// LostStatements.swift: what a process served and the database has lost: what of it is to be stated, and what was.
//
// A value without I/O. Each revision counts by itself: two replicas that served the same last revision need not have served
// the same ones before it, so what one of them has stated does not cover what the other one served.
//

import PostgresDriver

/// Revisions that were served and lost, while another process goes on behind them.
package struct LostStatements: Sendable, Hashable {
    /// Those that nothing has stated, as far as is known; oldest first.
    package private(set) var open: [ServedRevisions.Item] = []
    /// Those that were stated. What was stated can be lost again.
    package private(set) var stated: [ServedRevisions.Item] = []

    package init() {}

    /// What a request to state the open ones is known by; nil when none is open.
    package var name: Digest32? { open.last?.digest }

    /// Takes what the database has lost.
    package mutating func lose(_ items: [ServedRevisions.Item]) { open = Self.union(open, items) }

    /// Takes that those that were open are on record.
    package mutating func state() {
        stated = Self.union(stated, open)
        open = []
    }

    /// As many as are remembered of what was served, the newest.
    private static func union(_ a: [ServedRevisions.Item], _ b: [ServedRevisions.Item]) -> [ServedRevisions.Item] {
        Set(a).union(b).sorted { $0.revision < $1.revision }.suffix(ServedRevisions.countMax)
    }
}
