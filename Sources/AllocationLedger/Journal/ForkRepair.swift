//
// ForkRepair.swift: decides what is done when the database has lost revisions that were served.
//
// A value without I/O. Every replica remembers the digests of what it published last. When the database comes back (after
// a failover to a standby that was behind, or from a backup), these are compared with what it holds.
//
// A number that was served with one digest must never come again with another. Nobody knows all that was lost: another
// replica may have served more than this one, and may be gone. So numbers go on far behind anything that can have been
// served, and the numbers in between are declared never to be used.
//

import AllocationCore
import PostgresDriver

/// What a replica has published last: revisions and their digests, oldest first.
///
/// Invariant: numbers only grow, and at most ``ServedRevisions/countMax`` are kept.
package struct ServedRevisions: Sendable, Hashable {
    package struct Item: Sendable, Hashable {
        package var revision: Revision
        package var digest: Digest32

        package init(revision: Revision, digest: Digest32) {
            self.revision = revision
            self.digest = digest
        }
    }

    package static let countMax = 1024
    package private(set) var items: [Item] = []
    /// The highest epoch of any of them, those that were let go included.
    package private(set) var epoch: Int64 = 0

    package init() {}

    package var last: Item? { items.last }

    /// Takes what was published. The same again, or an older one, changes nothing.
    package mutating func take(_ head: LedgerHead) {
        epoch = max(epoch, head.epoch)
        guard items.last.map({ $0.revision < head.revision }) ?? true else { return }
        // In halves, so that letting go costs nothing on average.
        if items.count >= Self.countMax { items.removeFirst(Self.countMax / 2) }
        items.append(Item(revision: head.revision, digest: head.digest))
    }
}

/// Revisions that were served and that the database does not have.
package struct LostRevisions: Sendable, Hashable {
    /// Each that is remembered, oldest first; never empty.
    package var items: [ServedRevisions.Item]
    /// The last one that both have; nil when the memory does not reach back so far.
    package var common: Revision?
    /// The highest epoch that is known to have been used. It must not be used again.
    package var epoch: Int64

    package var last: Revision { items[items.count - 1].revision }
}

package enum ForkRepair {
    /// What the database holds, read in one snapshot.
    package struct Found: Sendable, Hashable {
        /// Nil while it holds no revision.
        package var head: LedgerHead?
        /// The lowest number that it still has; retention drops the oldest.
        package var oldest: Revision?
        /// Digests of the revisions that were asked about, of those that it has.
        package var digests: [Int64: Digest32]

        package init(head: LedgerHead?, oldest: Revision?, digests: [Int64: Digest32]) {
            self.head = head
            self.oldest = oldest
            self.digests = digests
        }
    }

    package enum Verdict: Sendable, Hashable {
        /// All that was served is there, and perhaps more.
        case whole
        case lost(LostRevisions)
        /// What was served last is older than what retention has kept: nothing can be said.
        case tooOld
    }

    /// Compares.
    package static func compare(_ served: ServedRevisions, with found: Found) -> Verdict {
        guard let last = served.last else { return .whole }
        if found.digests[last.revision.number] == last.digest { return .whole }
        if let oldest = found.oldest, last.revision < oldest { return .tooOld }
        // What follows a revision that is not there is not there either: the chain goes through it.
        let kept = served.items.lastIndex { found.digests[$0.revision.number] == $0.digest }
        let lost = Array(served.items[(kept.map { $0 + 1 } ?? 0)...])
        return .lost(
            LostRevisions(
                items: lost, common: kept.map { served.items[$0].revision },
                epoch: max(served.epoch, found.head?.epoch ?? 0)))
    }

    // MARK: Numbers

    /// So many numbers are left out at least, which is more than a standby can be behind: at a hundred revisions a second it
    /// is eight minutes.
    package static let distance: Int64 = 50_000
    /// And so many more for each second since recording was last certain. A repair can be lost too, and who makes the next
    /// one need not know of it: made later, it goes on further, by more than can have been recorded between the two.
    package static let numbersPerSecond: Int64 = 100
    /// The same for epochs.
    package static let epochDistance: Int64 = 1_000
    package static let epochsPerSecond: Int64 = 100

    /// The number of the revision that repairs.
    ///
    /// - Parameters:
    ///   - tip: The highest number in the database; 0 where nothing is recorded.
    ///   - served: The highest number that is known to have been served or tried; 0 where none is.
    ///   - elapsed: From when recording was last certain, as the database has it, to the beginning of the term.
    package static func next(after tip: Int64, served: Int64, elapsed: Duration) -> Int64 {
        let next = tip + distance + Int64(max(0, elapsed / .seconds(1)) * Double(numbersPerSecond))
        return next > served ? next : served + distance
    }

    /// What the repairing revision says of the numbers that it leaves out, as the detail of a gap of cause `fork`.
    ///
    /// - Parameters:
    ///   - skipped: The numbers between the database's last revision and the repairing one.
    ///   - lost: Nil when nothing is known to be lost, and the server is another than before.
    package static func statement(skipping skipped: ClosedRange<Int64>, lost: LostRevisions?) -> String {
        let numbers = "revisions \(skipped.lowerBound)-\(skipped.upperBound) are not used"
        guard let lost else {
            return "\(numbers): the database is another than that of the term before, and may have lost revisions"
        }
        return "\(numbers): the database lost \(text(lost.items))"
    }

    /// What is stated where another has gone on behind lost revisions, as the detail of a gap of cause `fork`.
    package static func statement(of items: [ServedRevisions.Item], servedBy replica: UUID128) -> String {
        "replica \(replica) served revisions that the database lost: \(text(items))"
    }

    private static func text(_ items: [ServedRevisions.Item]) -> String {
        items.map { "\($0.revision) \($0.digest)" }.joined(separator: ", ")
    }

    /// Reads the numbers back from a revision's cause detail.
    package static func skipped(in causeDetail: String) -> ClosedRange<Int64>? {
        guard let start = causeDetail.firstRange(of: " fork: revisions ") else { return nil }
        let rest = causeDetail[start.upperBound...]
        guard let end = rest.firstRange(of: " are not used") else { return nil }
        let bounds = rest[..<end.lowerBound].split(separator: "-").compactMap { Int64($0) }
        guard bounds.count == 2, bounds[0] > 0, bounds[0] <= bounds[1] else { return nil }
        return bounds[0]...bounds[1]
    }

    /// How many numbers before it a revision declares never to be used.
    package static func unused(before revision: Revision, cause: String, detail: String) -> Int64 {
        guard cause == Cause.forkRepaired.rawValue, let skipped = skipped(in: detail),
            skipped.upperBound == revision.number - 1
        else { return 0 }
        return Int64(skipped.count)
    }

    // MARK: Whether to leave numbers out although nothing is known to be lost

    /// Which server wrote, as a term records it; nil where the role may not ask.
    package struct Server: Sendable, Hashable {
        package var systemIdentifier: Int64?
        package var timeline: Int32?

        package init(systemIdentifier: Int64?, timeline: Int32?) {
            self.systemIdentifier = systemIdentifier
            self.timeline = timeline
        }
    }

    /// Whether the server of this term may lack what that of the term before had.
    ///
    /// Even who wrote the tip that is there cannot know: a successor may have led since, and all of its term be lost.
    package static func mayHaveLost(before: Server?, now: Server) -> Bool {
        guard let before else { return false }
        if let old = before.systemIdentifier, let new = now.systemIdentifier, old != new { return true }
        if let old = before.timeline, let new = now.timeline, old != new { return true }
        return false
    }
}
