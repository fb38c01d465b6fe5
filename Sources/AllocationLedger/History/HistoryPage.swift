//
// HistoryPage.swift: lists come in pages; a cursor names the last row seen by what it is, not by where it stood.
//
// A cursor holds recorded numbers only, so it is good after a restart, on another replica, and while new revisions come.
//

import PostgresDriver

/// A part of a list, and where the next part begins.
package struct HistoryPage<Item: Sendable, Cursor: HistoryCursor>: Sendable {
    package var items: [Item]
    /// Nil: the list ends here.
    package var next: Cursor?

    package init(items: [Item], next: Cursor?) {
        self.items = items
        self.next = next
    }
}

extension HistoryPage: Equatable where Item: Equatable {}
extension HistoryPage: Hashable where Item: Hashable {}

/// A place in a list.
package protocol HistoryCursor: Sendable, Hashable {
    /// Tells cursors of different lists apart: the first letter of the text.
    static var kind: Character { get }
    /// What the place is made of.
    var numbers: [Int64] { get }
    /// - Returns: Nil when these are not the numbers of such a place.
    init?(numbers: [Int64])
}

extension HistoryCursor {
    /// As it travels: `m12.5`. Opaque to whoever is handed it.
    package var text: String { "\(Self.kind)" + numbers.map { "\($0)" }.joined(separator: ".") }

    /// Nil for anything that ``text`` did not make.
    package init?(text: String) {
        guard text.first == Self.kind, text.utf8.count <= 128 else { return nil }
        let parts = text.dropFirst().split(separator: ".", omittingEmptySubsequences: false).map { Int64($0) }
        guard !parts.contains(nil) else { return nil }
        self.init(numbers: parts.compactMap { $0 })
        guard self.text == text else { return nil }
    }
}

/// Behind one event of one revision.
package struct EventCursor: HistoryCursor {
    package static let kind: Character = "e"
    package let revision: Int64
    package let ordinal: Int32

    package init(revision: Int64, ordinal: Int32) {
        self.revision = revision
        self.ordinal = ordinal
    }

    package var numbers: [Int64] { [revision, Int64(ordinal)] }

    package init?(numbers: [Int64]) {
        guard numbers.count == 2, let ordinal = Int32(exactly: numbers[1]) else { return nil }
        self.init(revision: numbers[0], ordinal: ordinal)
    }
}

/// Behind one revision.
package struct RevisionCursor: HistoryCursor {
    package static let kind: Character = "r"
    package let revision: Int64

    package init(revision: Int64) { self.revision = revision }

    package var numbers: [Int64] { [revision] }

    package init?(numbers: [Int64]) {
        guard numbers.count == 1 else { return nil }
        self.init(revision: numbers[0])
    }
}

/// Behind one target of the state at one revision, or of the difference of two.
package struct TargetCursor: HistoryCursor {
    package static let kind: Character = "t"
    /// The revisions that the list is about: two for a difference.
    package let revisions: [Int64]
    /// The target's number in the ledger.
    package let target: Int32

    package init(revisions: [Int64], target: Int32) {
        self.revisions = revisions
        self.target = target
    }

    package var numbers: [Int64] { revisions + [Int64(target)] }

    package init?(numbers: [Int64]) {
        guard (2...3).contains(numbers.count), let target = Int32(exactly: numbers[numbers.count - 1]) else {
            return nil
        }
        self.init(revisions: Array(numbers.dropLast()), target: target)
    }
}

/// Behind an instant, and behind so many of those that share it.
package struct InstantCursor: HistoryCursor {
    package static let kind: Character = "i"
    /// Microseconds since 1970.
    package let at: Int64
    package let skipping: Int64

    package init(at: Timestamp, skipping: Int64) {
        self.at = at.microsecondsSince1970
        self.skipping = skipping
    }

    package var timestamp: Timestamp { Timestamp(microsecondsSince1970: at) }
    package var numbers: [Int64] { [at, skipping] }

    package init?(numbers: [Int64]) {
        guard numbers.count == 2, numbers[1] >= 0 else { return nil }
        self.init(at: Timestamp(microsecondsSince1970: numbers[0]), skipping: numbers[1])
    }

    /// The place behind the last of a list that is ordered by instant.
    static func behind(_ instants: [Timestamp], after cursor: InstantCursor?) -> InstantCursor? {
        guard let last = instants.last else { return nil }
        let same = Int64(instants.reversed().prefix { $0 == last }.count)
        let before = cursor.map { same == Int64(instants.count) && $0.timestamp == last ? $0.skipping : 0 } ?? 0
        return InstantCursor(at: last, skipping: same + before)
    }
}

/// How much one answer may hold.
package enum PageLimit {
    /// Rows with their labels and reasons.
    package static let rowsMax = 10_000
    package static let rowsDefault = 1000

    static func clamped(_ limit: Int, max: Int = rowsMax) -> Int { min(Swift.max(limit, 1), max) }
}
