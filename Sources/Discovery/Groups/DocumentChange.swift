//
// DocumentChange.swift: what one file or one answer brought that was not there before.
//

/// The groups of one document (a file, an HTTP answer) that differ from what it held when it was last read.
///
/// A group's source is `document:slot`. The slot is its index in the document when it is first read; afterwards a group
/// keeps its slot while its bytes stay, wherever in the document they move, so that a group inserted in front of
/// 100,000 others changes one source and not all of them.
struct DocumentChange: Sendable {
    /// The file's name or the URL.
    var document: String
    /// Slots that changed, in the order of ``groups``.
    var slots: ContiguousArray<UInt32> = []
    /// What the slots hold now: at index i the group of `slots[i]`, absent when it went away.
    var groups = PackedGroups()
    /// The document itself is gone, with all its groups.
    var isGone = false

    var isEmpty: Bool { slots.isEmpty && !isGone }
}
