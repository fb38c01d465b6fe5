//
// LabelInterner.swift: the writing side of LabelTable.
//
// Two open-addressing tables of 32-bit numbers, one for pairs and one for names, over chunked storage. Hashes are kept
// beside the numbers, so that growing touches no text and a lookup compares text only when the hash agrees.
//

/// Interns names and pairs; lent out by ``LabelTable/intern(_:)`` while its lock is held.
package struct LabelInterner: ~Copyable, Sendable {
    private struct Slot {
        var hash: UInt32
        /// Number plus one; zero is a free slot.
        var numberPlusOne: UInt32
    }

    // @unchecked: points into an arena chunk that lives as long as the table and is never rewritten.
    private struct Name: @unchecked Sendable {
        let bytes: UnsafePointer<UInt8>
        let length: Int
        let isPlainJSON: Bool
        let isMeta: Bool
    }

    var entryChunks: EntryChunks?
    private(set) var count: UInt32 = 0
    private(set) var arenaBytes = 0
    private var slots = ContiguousArray(repeating: Slot(hash: 0, numberPlusOne: 0), count: 1 << 10)
    private var names: ContiguousArray<Name> = []
    private var nameSlots = ContiguousArray(repeating: Slot(hash: 0, numberPlusOne: 0), count: 1 << 6)
    private var arena: ContiguousArray<ArenaChunk> = []
    private var arenaFree = 0
    private var arenaNext = 0

    // @unchecked: owned by the table, freed with it.
    private struct ArenaChunk: @unchecked Sendable {
        let base: UnsafeMutablePointer<UInt8>
        let capacity: Int
    }

    private static let arenaChunkBytes = 1 << 20

    init() {}

    // MARK: Names

    /// The number of a label name.
    package mutating func nameID(_ bytes: UnsafeRawBufferPointer) -> LabelNameID {
        let hash = Self.shortHash(bytes)
        var index = Int(hash) & (nameSlots.count - 1)
        while nameSlots[index].numberPlusOne != 0 {
            let slot = nameSlots[index]
            if slot.hash == hash {
                let name = names[Int(slot.numberPlusOne) - 1]
                if ByteOrder.compare(UnsafeRawBufferPointer(start: name.bytes, count: name.length), bytes) == 0 {
                    return LabelNameID(rawValue: slot.numberPlusOne - 1)
                }
            }
            index = (index + 1) & (nameSlots.count - 1)
        }
        let place = reserve(max(bytes.count, 1))
        copy(bytes, to: place)
        names.append(
            Name(
                bytes: UnsafePointer(place), length: bytes.count, isPlainJSON: JSONText.isPlain(bytes),
                isMeta: Self.hasMetaPrefix(bytes)
            )
        )
        nameSlots[index] = Slot(hash: hash, numberPlusOne: UInt32(names.count))
        if names.count * 2 > nameSlots.count { Self.grow(&nameSlots) }
        return LabelNameID(rawValue: UInt32(names.count - 1))
    }

    // MARK: Pairs

    package mutating func intern(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> LabelID {
        intern(nameID: nameID(name), value: value)
    }

    package mutating func intern(_ name: String, value: UnsafeRawBufferPointer) -> LabelID {
        var name = name
        return name.withUTF8 { intern(name: UnsafeRawBufferPointer($0), value: value) }
    }

    package mutating func intern(_ name: String, _ value: String) -> LabelID {
        var (name, value) = (name, value)
        return name.withUTF8 { nameBytes in
            value.withUTF8 { valueBytes in
                intern(name: UnsafeRawBufferPointer(nameBytes), value: UnsafeRawBufferPointer(valueBytes))
            }
        }
    }

    /// Interns a pair whose name is known already: the fast way for a parser that sees the same few names again.
    package mutating func intern(nameID: LabelNameID, value: UnsafeRawBufferPointer) -> LabelID {
        let hash = Self.pairHash(nameID, value)
        var index = Int(hash) & (slots.count - 1)
        while slots[index].numberPlusOne != 0 {
            let slot = slots[index]
            if slot.hash == hash {
                let id = LabelID(rawValue: slot.numberPlusOne - 1)
                if isPair(id, nameID, value) { return id }
            }
            index = (index + 1) & (slots.count - 1)
        }
        let id = append(nameID, value)
        slots[index] = Slot(hash: hash, numberPlusOne: id.rawValue + 1)
        if Int(count) * 10 > slots.count * 7 { Self.grow(&slots) }
        return id
    }

    private func isPair(_ id: LabelID, _ nameID: LabelNameID, _ value: UnsafeRawBufferPointer) -> Bool {
        guard let chunk = entryChunks?.base[Int(id.rawValue) / LabelTable.entriesPerChunk] else { return false }
        let entry = chunk[Int(id.rawValue) % LabelTable.entriesPerChunk]
        guard entry.name == nameID, Int(entry.valueLength) == value.count else { return false }
        let stored = UnsafeRawBufferPointer(
            start: entry.bytes + Int(entry.nameLength) + 1, count: Int(entry.valueLength))
        return ByteOrder.compare(stored, value) == 0
    }

    private mutating func append(_ nameID: LabelNameID, _ value: UnsafeRawBufferPointer) -> LabelID {
        guard let directory = entryChunks?.base else { preconditionFailure("interner used without its table") }
        let number = Int(count)
        let chunkIndex = number / LabelTable.entriesPerChunk
        precondition(chunkIndex < LabelTable.chunksMax, "label table full: \(number) pairs")
        if directory[chunkIndex] == nil {
            directory[chunkIndex] = .allocate(capacity: LabelTable.entriesPerChunk)
        }
        let name = names[Int(nameID.rawValue)]
        let place = reserve(name.length + value.count + 2)
        copy(UnsafeRawBufferPointer(start: name.bytes, count: name.length), to: place)
        place[name.length] = 0xFF
        copy(value, to: place + name.length + 1)
        place[name.length + 1 + value.count] = 0xFF
        let entry = LabelTable.Entry(
            bytes: UnsafePointer(place), nameLength: UInt32(name.length), valueLength: UInt32(value.count),
            name: nameID, isPlainJSON: name.isPlainJSON && JSONText.isPlain(value), isMeta: name.isMeta
        )
        directory[chunkIndex].unsafelyUnwrapped.advanced(by: number % LabelTable.entriesPerChunk)
            .initialize(to: entry)
        count += 1
        return LabelID(rawValue: UInt32(number))
    }

    // MARK: Storage

    private mutating func reserve(_ bytes: Int) -> UnsafeMutablePointer<UInt8> {
        if bytes > arenaFree {
            let capacity = max(Self.arenaChunkBytes, bytes)
            arena.append(ArenaChunk(base: .allocate(capacity: capacity), capacity: capacity))
            arenaBytes += capacity
            (arenaFree, arenaNext) = (capacity, 0)
        }
        let place = arena[arena.count - 1].base + arenaNext
        arenaNext += bytes
        arenaFree -= bytes
        return place
    }

    private func copy(_ bytes: UnsafeRawBufferPointer, to place: UnsafeMutablePointer<UInt8>) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        UnsafeMutableRawPointer(place).copyMemory(from: source, byteCount: bytes.count)
    }

    private static func grow(_ slots: inout ContiguousArray<Slot>) {
        var larger = ContiguousArray(repeating: Slot(hash: 0, numberPlusOne: 0), count: slots.count * 2)
        let mask = larger.count - 1
        for slot in slots where slot.numberPlusOne != 0 {
            var index = Int(slot.hash) & mask
            while larger[index].numberPlusOne != 0 { index = (index + 1) & mask }
            larger[index] = slot
        }
        slots = larger
    }

    private static func shortHash(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        UInt32(truncatingIfNeeded: XXH64.hash(bytes))
    }

    private static func pairHash(_ name: LabelNameID, _ value: UnsafeRawBufferPointer) -> UInt32 {
        UInt32(truncatingIfNeeded: XXH64.hash(value, seed: UInt64(name.rawValue) &* 0x9E37_79B9_7F4A_7C15))
    }

    private static func hasMetaPrefix(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.starts(with: "__meta_".utf8)
    }

    mutating func deallocate() {
        for chunk in arena { chunk.base.deallocate() }
        arena = []
        guard let directory = entryChunks?.base else { return }
        for index in 0..<LabelTable.chunksMax {
            guard let chunk = directory[index] else { break }
            chunk.deallocate()
        }
    }
}
