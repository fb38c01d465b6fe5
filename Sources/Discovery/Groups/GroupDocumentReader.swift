//
// GroupDocumentReader.swift: reads one document of target groups again and again, and says each time what changed.
//
// The formats and their strictness: spec/prometheus-sd.md 6, vectors sd-file.json and sd-http.json. A document is taken
// whole or not at all. A JSON document that was read before costs its hash: a group whose bytes are where they were, or
// anywhere else, is not looked into again.
//

import AllocationCore

/// One document: what it is called, and how to recognise what it held.
struct GroupDocumentReader: Sendable {
    enum Format: Sendable { case json, yaml }

    /// The file's name or the URL; the sources of its groups begin with it.
    let name: String
    private let originLabel: String
    private(set) var index = DocumentIndex()
    private(set) var targetCount = 0
    /// Targets by slot, to keep their sum without reading a group again.
    private var targetsBySlot: ContiguousArray<UInt32> = []
    /// The whole document's hash at the last successful reading.
    private var wholeHash: UInt64?

    /// - Parameter originLabel: The label that says where a group comes from, such as `__meta_filepath`.
    init(name: String, originLabel: String) {
        self.name = name
        self.originLabel = originLabel
    }

    /// Compares the document with its last reading.
    ///
    /// - Throws: What is wrong with it; the reader then stays as it was.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, _ format: Format, table: LabelTable
    ) throws(GroupSyntaxError) -> DocumentChange {
        let hash = XXH64.hash(bytes, seed: DocumentIndex.seed)
        if hash == wholeHash { return DocumentChange(document: name) }
        var alignment = SlotAlignment(index)
        var builder = GroupBuilder(table: table, origin: (originLabel, name))
        var found = PackedGroups()
        let outcome: SlotAlignment.Outcome
        switch format {
        case .json:
            do throws(GroupSyntaxFault) {
                var parser = JSONGroupParser(bytes)
                let spans = try parser.scan(&alignment)
                outcome = alignment.finish()
                try parser.parse(spans, outcome.added, &builder, into: &found, table: table)
            } catch {
                throw error.located(in: bytes)
            }
        case .yaml:
            let groups = try YAMLGroupParser.groups(bytes)
            outcome = YAMLGroupParser.align(groups, alignment, &builder, into: &found, table: table)
        }
        wholeHash = hash
        return take(outcome, found)
    }

    private mutating func take(_ outcome: SlotAlignment.Outcome, _ found: PackedGroups) -> DocumentChange {
        index = outcome.index
        var change = DocumentChange(document: name)
        change.groups = found
        change.slots.reserveCapacity(found.slotCount + outcome.removed.count)
        while targetsBySlot.count < index.marks.count { targetsBySlot.append(0) }
        var position = 0
        for (slot, isNew) in outcome.added where isNew {
            change.slots.append(slot)
            count(slot, found.targetCount(at: position))
            position += 1
        }
        for slot in outcome.removed {
            change.slots.append(slot)
            count(slot, 0)
        }
        return change
    }

    private mutating func count(_ slot: UInt32, _ targets: Int) {
        targetCount += targets - Int(targetsBySlot[Int(slot)])
        targetsBySlot[Int(slot)] = UInt32(targets)
    }
}
