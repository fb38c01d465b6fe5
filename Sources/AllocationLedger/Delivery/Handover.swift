//
// Handover.swift: when the old and the new owner of a moved target learned of the move, and what lies between: decided
// from recorded facts alone.
//
// A collector learns when it first fetches a list of the job whose content is of the move's revision or a later one. Until
// the new owner has learned, nobody new scrapes the target; until the old one has, it goes on. So if the old owner learned
// first, nobody scraped the target from its learning to the new one's, and if the new owner learned first, both did from
// its learning to the old one's. A collector scrapes what it fetched last for as long as it lives: one that left without
// fetching ended when it left, as far as the ledger knows; it may have died before.
//
// What is not known is nil and never zero:
//
// - A fetch tells what a list held then. If the target left the new owner again before its first fetch, the new owner
//   never had it; if it came back to the old owner before that one's first fetch, the old owner never let it go.
// - If the old owner got the target on the day before and did not fetch it, it had nothing to let go.
//
// Collectors are known by name, as they ask: one that was replaced by another of its name goes on as the same.
//

import PostgresDriver

/// What is known of how one target passed from one collector to another.
package struct Handover: Sendable, Hashable {
    /// The old owner's first fetch without the target.
    package var learnedByOld: Timestamp?
    /// When the old owner left, where it did so before it fetched.
    package var oldLeft: Timestamp?
    /// The new owner's first fetch with the target.
    package var learnedByNew: Timestamp?
    /// From the old owner's end to the new owner's learning; nil where one of them is not known, and for what had, or got,
    /// no collector.
    package var ownerlessSeconds: Double?
    /// From the new owner's learning to the old owner's end; nil likewise.
    package var doublyOwnedSeconds: Double?

    /// Nothing is known.
    package init() {}

    /// A fetch of a list, and the revision at which that list had last changed; or a revision and its time.
    package struct Fetch: Sendable, Hashable {
        package var revision: Int64
        package var at: Timestamp

        package init(revision: Int64, at: Timestamp) {
            self.revision = revision
            self.at = at
        }
    }

    /// The facts about a move at one revision.
    package struct Evidence: Sendable, Hashable {
        /// The first fetch of a list that changed at the move's revision or later; nil: none, or no such owner.
        package var oldFetch: Fetch?
        package var newFetch: Fetch?
        /// When the list that the old owner had fetched last before the move had changed; nil: not known.
        package var oldHadFetched: Int64?
        /// The revision that gave the target to the old owner; nil: more than a day before, so that it will have fetched it.
        package var came: Int64?
        /// The revision that took the target from the new owner again.
        package var leftNew: Int64?
        /// The revision that gave it back to the old owner, and when.
        package var returned: Fetch?
        /// When the old owner left: before the move, if it was not there any more then; else after it.
        package var oldLeft: Timestamp?
        /// When a collector of the old owner's name joined after that.
        package var oldRejoined: Timestamp?

        package init() {}
    }

    /// - Parameter isBetweenCollectors: The target had a collector before and after.
    package init(_ evidence: Evidence, isBetweenCollectors: Bool) {
        if let fetch = evidence.newFetch, evidence.leftNew.map({ fetch.revision < $0 }) ?? true {
            learnedByNew = fetch.at
        }
        if let came = evidence.came, evidence.oldHadFetched.map({ $0 < came }) ?? true { return }
        if let fetch = evidence.oldFetch, evidence.returned.map({ fetch.revision < $0.revision }) ?? true,
            evidence.oldRejoined.map({ fetch.at < $0 }) ?? true
        {
            learnedByOld = fetch.at
        } else if let left = evidence.oldLeft, evidence.returned.map({ left < $0.at }) ?? true {
            oldLeft = left
        }
        guard isBetweenCollectors, let new = learnedByNew, let end = learnedByOld ?? oldLeft else { return }
        let seconds = Double(new.microsecondsSince1970 - end.microsecondsSince1970) / 1_000_000
        ownerlessSeconds = max(0, seconds)
        doublyOwnedSeconds = max(0, -seconds)
    }
}

/// When collectors of one name joined and left, as far as a move asks.
package struct Membership: Sendable, Hashable {
    /// What one revision did.
    package struct Change: Sendable, Hashable {
        package var revision: Int64
        package var at: Timestamp
        package var left = false
        package var joined = false

        package init(revision: Int64, at: Timestamp, left: Bool = false, joined: Bool = false) {
            self.revision = revision
            self.at = at
            self.left = left
            self.joined = joined
        }
    }

    /// Oldest first, one a revision.
    package var changes: [Change] = []

    package init(_ changes: [Change] = []) { self.changes = changes }

    /// When the collector that had a target until this revision left, and when one of its name joined after that.
    package func end(ofOwnerUntil revision: Int64) -> (left: Timestamp, rejoined: Timestamp?)? {
        let next = changes.firstIndex { $0.revision > revision } ?? changes.endIndex
        let place: Int
        // Replaced by another of its name in the very revision, the owner has ended.
        if next > 0, changes[next - 1].left, !changes[next - 1].joined || changes[next - 1].revision == revision {
            place = next - 1
        } else if let later = changes[next...].firstIndex(where: \.left) {
            place = later
        } else {
            return nil
        }
        let left = changes[place]
        return (left.at, left.joined ? left.at : changes[(place + 1)...].first(where: \.joined)?.at)
    }
}
