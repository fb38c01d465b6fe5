//
// Revision.swift: the number of an atomic change, and the tip of the log.
//

import PostgresDriver

/// One atomic change of the allocation. Numbered 1, 2, 3, … in commit order, without gaps.
package struct Revision: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let number: Int64

    package init(_ number: Int64) { self.number = number }

    package static func < (a: Revision, b: Revision) -> Bool { a.number < b.number }

    package var description: String { "\(number)" }
}

/// The tip of the log.
package struct LedgerHead: Sendable, Hashable {
    package var revision: Revision
    /// The term in which it was written.
    package var epoch: Int64
    /// The server's time, made monotone.
    package var at: Timestamp
    /// The digest of the revision's record, which binds everything before it.
    package var digest: Digest32

    package init(revision: Revision, epoch: Int64, at: Timestamp, digest: Digest32) {
        self.revision = revision
        self.epoch = epoch
        self.at = at
        self.digest = digest
    }
}

/// Names one term of leadership: whoever writes shows it, and the database refuses an old one.
package struct FencingToken: Hashable, Sendable {
    /// Made by the process; never a pod's name, which the next pod would have too.
    package let holder: UUID128
    package let epoch: Int64

    package init(holder: UUID128, epoch: Int64) {
        self.holder = holder
        self.epoch = epoch
    }
}
