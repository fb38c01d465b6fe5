//
// OutageJournal.swift: decides what the journal of an outage consists of, and what becomes of it when the database is back.
//
// A value without I/O. While the database takes nothing, the last leader writes each change to a file before it serves
// it. Each record holds the digest of the one before, so that nobody can take one out or change one, and so that what was
// lost in a crash can only be the last one, which nobody was served. JournalRecord.swift has the bytes.
//

import PostgresDriver

/// A change as the journal keeps it, apart from its content.
package struct JournalEntry: Sendable, Hashable {
    /// From 1.
    package var ordinal: Int64
    /// Also that of the revision which it becomes, so that nothing is recorded twice.
    package var changeID: UUID128
    /// By this machine's clock: the database's is out of reach.
    package var occurredAt: Timestamp
    package var cause: String
    package var causeDetail: String
    /// Targets that it added, removed, moved and relabelled.
    package var counts: [Int64]
    /// Of the change itself.
    package var contentDigest: Digest32
    /// Of the record before.
    package var previous: Digest32
    package var digest: Digest32

    package init(
        ordinal: Int64, changeID: UUID128, occurredAt: Timestamp, cause: String, causeDetail: String, counts: [Int64],
        contentDigest: Digest32, previous: Digest32, digest: Digest32 = .zero
    ) {
        self.ordinal = ordinal
        self.changeID = changeID
        self.occurredAt = occurredAt
        self.cause = cause
        self.causeDetail = causeDetail
        self.counts = counts
        self.contentDigest = contentDigest
        self.previous = previous
        self.digest = digest
    }
}

/// Where in a journal something stands, for whoever is served from it.
package struct JournalPosition: Sendable, Hashable {
    package var ordinal: Int64
    package var digest: Digest32

    package init(ordinal: Int64, digest: Digest32) {
        self.ordinal = ordinal
        self.digest = digest
    }
}

/// What one process served while nothing could be recorded.
///
/// Invariant: `entries` are numbered from 1, each holds the digest of the record before it, and `tip` is the digest of
/// the last record.
package struct OutageJournal: Sendable {
    /// What everything in it continues.
    package struct Base: Sendable, Hashable {
        /// The last revision that was recorded.
        package var head: LedgerHead
        /// The process that began it.
        package var holder: UUID128
        package var beganAt: Timestamp
        /// Why nothing could be recorded.
        package var reason: String

        package init(head: LedgerHead, holder: UUID128, beganAt: Timestamp, reason: String) {
            self.head = head
            self.holder = holder
            self.beganAt = beganAt
            self.reason = reason
        }
    }

    package let base: Base
    package private(set) var entries: [JournalEntry] = []
    /// The processes that have written in it, or have begun to record it.
    package private(set) var holders: Set<UUID128>
    /// Digest of the last record.
    package private(set) var tip: Digest32

    /// Begins one. Its first record is ``JournalRecord/base(_:)``.
    package init(base: Base) {
        self.base = base
        holders = [base.holder]
        tip = JournalRecord.base(base).digest(after: .zero)
    }

    /// Of the last entry; nil while there is none.
    package var position: JournalPosition? {
        entries.last.map { JournalPosition(ordinal: $0.ordinal, digest: $0.digest) }
    }

    /// From the first to the last change.
    package var times: (from: Timestamp, to: Timestamp)? {
        guard let first = entries.first, let last = entries.last else { return nil }
        return (first.occurredAt, last.occurredAt)
    }

    // MARK: Writing

    /// Makes the next entry, which is to be on disk before what it says is served. Then give it to ``take(_:)``.
    package func entry(
        changeID: UUID128, occurredAt: Timestamp, cause: String, causeDetail: String, counts: [Int64],
        contentDigest: Digest32
    ) -> JournalEntry {
        var entry = JournalEntry(
            ordinal: Int64(entries.count) + 1, changeID: changeID, occurredAt: occurredAt, cause: cause,
            causeDetail: causeDetail, counts: counts, contentDigest: contentDigest, previous: tip)
        entry.digest = JournalRecord.entry(entry).digest(after: tip)
        return entry
    }

    /// Takes a record that is on disk.
    ///
    /// - Throws: ``JournalError/altered(_:)`` when it does not continue this journal.
    package mutating func take(_ record: JournalRecord) throws(JournalError) {
        switch record {
        case .base: throw .altered("a second beginning")
        case .holder(let holder):
            holders.insert(holder)
            tip = record.digest(after: tip)
        case .entry(let entry):
            guard entry.ordinal == Int64(entries.count) + 1, entry.previous == tip,
                entry.digest == record.digest(after: tip)
            else { throw .altered("entry \(entry.ordinal) does not continue what is before it") }
            entries.append(entry)
            tip = entry.digest
        }
    }

    // MARK: Recovery

    /// A revision that was recorded after the journal's base.
    package struct RecordedRevision: Sendable, Hashable {
        package var changeID: UUID128
        package var replica: UUID128
        /// Whether targets, collectors, the rule or the configuration are other than before it.
        package var changesState: Bool

        package init(changeID: UUID128, replica: UUID128, changesState: Bool) {
            self.changeID = changeID
            self.replica = replica
            self.changesState = changesState
        }
    }

    /// What the database says when it is back, read in one snapshot by a process that leads.
    package struct Since: Sendable, Hashable {
        /// What it has at the number of the journal's base; nil: nothing, or that number was dropped by retention.
        package var digestAtBase: Digest32?
        /// All that came after, in order; more than ``OutageJournal/revisionsToRead`` need not be read.
        package var revisions: [RecordedRevision]

        package init(digestAtBase: Digest32?, revisions: [RecordedRevision]) {
            self.digestAtBase = digestAtBase
            self.revisions = revisions
        }
    }

    /// What becomes of the entries.
    package enum Recovery: Sendable, Hashable {
        /// Nobody has written meanwhile. The entries from this place on become revisions, in order, with their change ids
        /// and their times; those before it are revisions already. At the end of `entries`: nothing is left.
        case append(from: Int)
        /// Another has written meanwhile, and the state of the ledger counts. What the entries from this place on say was
        /// served by one process: recorded as such, with the digest of the last.
        case stateServed(from: Int)
        /// The database has lost what the journal continues. To be repaired first, from memory; then what the entries say
        /// is stated as served.
        case repairFork
    }

    /// So many revisions after the base tell everything; one more is another's for sure.
    package var revisionsToRead: Int { entries.count + 2 * holders.count + 64 }

    /// - Parameter holder: The process that asks, which leads now. Its own revisions that change nothing are no other's.
    package func recovery(_ since: Since, by holder: UUID128) -> Recovery {
        guard since.digestAtBase == base.head.digest else { return .repairFork }
        var next = 0
        for revision in since.revisions {
            if next < entries.count, revision.changeID == entries[next].changeID {
                next += 1
            } else if revision.changesState || !(holders.contains(revision.replica) || revision.replica == holder) {
                return next == entries.count ? .append(from: next) : .stateServed(from: next)
            }
        }
        return .append(from: next)
    }

    /// What is recorded of entries that do not become revisions, as the detail of a gap of cause `journal`.
    package func statement(from place: Int) -> String {
        let rest = entries[place...]
        let sums = (0..<4).map { index in
            rest.reduce(Int64(0)) { $0 + ($1.counts.indices.contains(index) ? $1.counts[index] : 0) }
        }
        return
            "replica \(base.holder) served \(rest.count) \(rest.count == 1 ? "change" : "changes") of its own on revision "
            + "\(base.head.revision), and another has written since: \(sums[0]) targets added, \(sums[1]) removed, "
            + "\(sums[2]) moved, \(sums[3]) relabelled; journal \(tip)"
    }
}

/// A journal that cannot be used.
package enum JournalError: Error, Sendable, Hashable, CustomStringConvertible {
    /// It is not as it was written. What was served since then cannot be told.
    case altered(String)
    /// It is none.
    case notAJournal

    package var description: String {
        switch self {
        case .altered(let what): "the journal was altered: \(what)"
        case .notAJournal: "this is no journal of an outage"
        }
    }
}
