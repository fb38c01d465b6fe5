//
// RecordEncoder.swift: the bytes that digests are taken over.
//
// Every field is its length as four bytes, big endian, and its bytes; an absent field is the length 0xFFFFFFFF and
// nothing more. Numbers are big endian in eight or two bytes. README.md of this module is the format's page: whoever
// reads it must be able to check a ledger without this code.
//

import AllocationCore
import PostgresDriver

/// Appends length-prefixed fields to a buffer that is used again and again.
struct RecordEncoder {
    /// The record is its first `count` bytes.
    private var buffer = [UInt8](repeating: 0, count: 2048)
    private var count = 0

    /// Begins a record whose first byte is `prefix`: 0 for a leaf of a tree, as RFC 6962 has it.
    mutating func begin(prefix: UInt8? = 0, type: Character) {
        count = 0
        if let prefix { append(prefix) }
        for byte in type.utf8 { append(byte) }
    }

    mutating func field(_ content: UnsafeRawBufferPointer) {
        makeRoom(4 + content.count)
        let start = count
        buffer.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: UInt32(content.count).bigEndian, toByteOffset: start, as: UInt32.self)
            UnsafeMutableRawBufferPointer(rebasing: bytes[(start + 4)...]).copyMemory(from: content)
        }
        count += 4 + content.count
    }

    mutating func field(_ text: String) {
        var text = text
        text.withUTF8 { field(UnsafeRawBufferPointer($0)) }
    }

    mutating func field(_ text: String?) {
        if let text { field(text) } else { absent() }
    }

    mutating func field(_ number: Int64) { withUnsafeBytes(of: number.bigEndian) { field($0) } }

    mutating func field(_ number: UInt64) { withUnsafeBytes(of: number.bigEndian) { field($0) } }

    mutating func field(_ number: Int16) { withUnsafeBytes(of: number.bigEndian) { field($0) } }

    mutating func field(_ digest: Digest32) { digest.withBytes { field($0) } }

    mutating func field(_ digest: Digest32?) {
        if let digest { field(digest) } else { absent() }
    }

    mutating func absent() {
        makeRoom(4)
        let start = count
        buffer.withUnsafeMutableBytes { $0.storeBytes(of: UInt32.max, toByteOffset: start, as: UInt32.self) }
        count += 4
    }

    /// Appends fields that are encoded already.
    mutating func fields(_ encoded: UnsafeRawBufferPointer) {
        makeRoom(encoded.count)
        let start = count
        buffer.withUnsafeMutableBytes {
            UnsafeMutableRawBufferPointer(rebasing: $0[start...]).copyMemory(from: encoded)
        }
        count += encoded.count
    }

    /// What has been encoded since the beginning, for use by ``fields(_:)``.
    var bytes: [UInt8] { Array(buffer[..<count]) }

    /// Begins anew, without a type.
    mutating func clear() { count = 0 }

    private mutating func append(_ byte: UInt8) {
        makeRoom(1)
        buffer[count] = byte
        count += 1
    }

    private mutating func makeRoom(_ byteCount: Int) {
        let missing = count + byteCount - buffer.count
        if missing > 0 { buffer.append(contentsOf: repeatElement(0, count: max(missing, buffer.count))) }
    }

    var digest: Digest32 { buffer.withUnsafeBytes { Digest32.hash(UnsafeRawBufferPointer(rebasing: $0[..<count])) } }
}

/// Digests of what history consists of.
struct RecordDigester {
    private var encoder = RecordEncoder()

    /// Of a label set: its pairs in order, name and value.
    mutating func labelSet(_ labels: LabelSet, in table: LabelTable) -> Digest32 {
        encoder.begin(prefix: nil, type: "L")
        for id in labels.ids {
            table.withNameBytes(id) { encoder.field($0) }
            table.withValueBytes(id) { encoder.field($0) }
        }
        return encoder.digest
    }

    mutating func labelSet(_ pairs: [(name: [UInt8], value: [UInt8])]) -> Digest32 {
        encoder.begin(prefix: nil, type: "L")
        for pair in pairs {
            pair.name.withUnsafeBytes { encoder.field($0) }
            pair.value.withUnsafeBytes { encoder.field($0) }
        }
        return encoder.digest
    }

    /// A collector as events name it.
    struct CollectorContent: Hashable, Sendable {
        var name: String
        /// Empty when there is none.
        var uid: String
    }

    /// What a target event is bound by.
    struct TargetEventContent {
        var revision: Int64
        var ordinal: Int32
        var job: String
        var identity: UInt64
        /// As in the target's row: the address when it was first recorded. Later ones are in the label sets.
        var address: String
        var collectorBefore: CollectorContent?
        var collectorAfter: CollectorContent?
        var labelsBefore: Digest32?
        var labelsAfter: Digest32?
        var reason: Int16
        var flags: Int16
    }

    mutating func targetEvent(_ content: TargetEventContent) -> Digest32 {
        encoder.begin(type: "T")
        encoder.field(content.revision)
        encoder.field(Int64(content.ordinal))
        encoder.field(content.job)
        encoder.field(content.identity)
        encoder.field(content.address)
        collector(content.collectorBefore)
        collector(content.collectorAfter)
        encoder.field(content.labelsBefore)
        encoder.field(content.labelsAfter)
        encoder.field(content.reason)
        encoder.field(content.flags)
        return encoder.digest
    }

    struct CollectorEventContent {
        var revision: Int64
        var ordinal: Int32
        var kind: Int16
        var collector: CollectorContent
        var node: String?
        var evidence: String
    }

    mutating func collectorEvent(_ content: CollectorEventContent) -> Digest32 {
        encoder.begin(type: "C")
        encoder.field(content.revision)
        encoder.field(Int64(content.ordinal))
        encoder.field(content.kind)
        collector(content.collector)
        encoder.field(content.node)
        encoder.field(content.evidence)
        return encoder.digest
    }

    private mutating func collector(_ collector: CollectorContent?) {
        encoder.field(collector?.name)
        encoder.field(collector?.uid)
    }

    mutating func ring(_ placement: Placement) -> Digest32 {
        encoder.begin(prefix: nil, type: "P")
        encoder.field(placement.strategy)
        encoder.field(placement.ringVersion)
        encoder.field(Int64(placement.members.count))
        for member in placement.members { encoder.field(member) }
        encoder.field(Int64(placement.partitionOwners.count))
        for owner in placement.partitionOwners { encoder.field(Int16(bitPattern: owner)) }
        encoder.field(placement.note)
        return encoder.digest
    }

    mutating func revision(_ record: RevisionRecord) -> Digest32 {
        encoder.begin(type: "R")
        encoder.field("target-ledger/1")
        encoder.field(record.revision)
        encoder.field(record.epoch)
        encoder.field(record.at.microsecondsSince1970)
        encoder.field(record.changeID.description)
        encoder.field(record.cause)
        encoder.field(record.causeDetail)
        encoder.field(record.occurredAt.map { "\($0.microsecondsSince1970)" })
        encoder.field(record.replica.description)
        encoder.field(record.configuration)
        encoder.field(record.ring)
        for count in record.counts.all { encoder.field(Int64(count)) }
        encoder.field(record.eventsDigest)
        encoder.field(record.previousDigest)
        return encoder.digest
    }
}

/// How much a revision changed.
struct RevisionCounts: Sendable, Hashable {
    var targetsAdded: Int32 = 0
    var targetsRemoved: Int32 = 0
    var targetsMoved: Int32 = 0
    var targetsRelabelled: Int32 = 0
    var targetEvents: Int32 = 0
    var collectorEvents: Int32 = 0

    /// In the order of the record.
    var all: [Int32] {
        [targetsAdded, targetsRemoved, targetsMoved, targetsRelabelled, targetEvents, collectorEvents]
    }
}

/// The record of one revision, as it is digested.
struct RevisionRecord: Sendable {
    var revision: Int64
    var epoch: Int64
    var at: Timestamp
    var changeID: UUID128
    var cause: String
    var causeDetail: String
    var occurredAt: Timestamp?
    var replica: UUID128
    /// Digest of the configuration in force.
    var configuration: Digest32?
    /// Digest of the placement rule in force.
    var ring: Digest32
    var counts: RevisionCounts
    var eventsDigest: Digest32
    var previousDigest: Digest32
}
