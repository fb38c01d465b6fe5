//
// ProviderGroups.swift: all groups of one provider, by document and slot.
//

import AllocationCore

/// What one provider handed over last.
struct ProviderGroups: Sendable {
    /// Which slots of a document a job has not been handed yet.
    struct Pending: Sendable {
        /// Every slot that holds a group.
        var isWhole = false
        /// Slots that changed; those that are empty now are told, too.
        var slots: Set<UInt32> = []
    }

    private(set) var documents: [String: PackedGroups] = [:]
    private(set) var targetCount = 0

    /// The name of a slot's group within the provider.
    static func source(_ document: String, _ slot: Int) -> String {
        // `static` has one document without a name.
        document.isEmpty ? "\(slot)" : "\(document):\(slot)"
    }

    /// Takes a change and says which slots really differ now.
    mutating func take(_ change: DocumentChange) -> Pending {
        var differing = Pending()
        // Taken out, so that it is changed in place and not copied.
        var groups = documents.removeValue(forKey: change.document) ?? PackedGroups()
        targetCount -= groups.targetCount
        if change.isGone {
            for slot in 0..<groups.slotCount where groups.contains(slot) { differing.slots.insert(UInt32(slot)) }
            return differing
        }
        if groups.count == 0, change.slots.elementsEqual(0..<UInt32(change.slots.count)) {
            groups = change.groups
            groups.trim()
            differing.isWhole = groups.count > 0
        } else {
            for (position, slot) in change.slots.enumerated() {
                let differs =
                    change.groups.withRun(position) { groups.set(Int(slot), $0) } ?? groups.remove(Int(slot))
                if differs { differing.slots.insert(slot) }
            }
        }
        targetCount += groups.targetCount
        if groups.count > 0 { documents[change.document] = groups }
        return differing
    }
}

extension ProviderGroups.Pending {
    var isEmpty: Bool { !isWhole && slots.isEmpty }

    mutating func formUnion(_ other: Self) {
        isWhole = isWhole || other.isWhole
        slots.formUnion(other.slots)
    }
}
