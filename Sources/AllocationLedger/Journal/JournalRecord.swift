//
// JournalRecord.swift: the bytes of a journal, and what of a file counts after a crash.
//
// The file is one piece after the other: how many bytes follow in eight bytes, the record's length in four (both big
// endian), the record, its digest, and for an entry its content, of which the record has the digest. Records are made of
// fields as the ledger's own are (RecordEncoder.swift); a digest is SHA-256 over the record, and a record's first field is
// the digest of the one before it. A piece is on disk before anybody is served what it says, so what a crash leaves of the
// last one is cut off.
//

import PostgresDriver

/// One record of a journal.
package enum JournalRecord: Sendable, Hashable {
    case base(OutageJournal.Base)
    case entry(JournalEntry)
    /// Another process goes on with it: after a restart, or to record it.
    case holder(UUID128)

    static let format = "target-ledger-journal/1"
    /// What no record of ours reaches: details are bounded by what discovery and people write.
    static let bytesMax = 16 << 20

    /// What stands in the file for this record.
    ///
    /// - Parameters:
    ///   - previous: Digest of the record before; zeros for the first.
    ///   - content: Of an entry: the bytes of which it has the digest.
    package func piece(after previous: Digest32, content: [UInt8] = []) -> [UInt8] {
        let record = encoded(after: previous)
        var piece: [UInt8] = []
        piece.reserveCapacity(44 + record.count + content.count)
        withUnsafeBytes(of: Int64(4 + record.count + Digest32.byteCount + content.count).bigEndian) {
            piece.append(contentsOf: $0)
        }
        withUnsafeBytes(of: UInt32(record.count).bigEndian) { piece.append(contentsOf: $0) }
        piece.append(contentsOf: record)
        piece.append(contentsOf: Digest32.hash(record).bytes)
        piece.append(contentsOf: content)
        return piece
    }

    func digest(after previous: Digest32) -> Digest32 { Digest32.hash(encoded(after: previous)) }

    private func encoded(after previous: Digest32) -> [UInt8] {
        var encoder = RecordEncoder()
        switch self {
        case .base(let base):
            encoder.begin(prefix: nil, type: "B")
            encoder.field(previous)
            encoder.field(Self.format)
            encoder.field(base.head.revision.number)
            encoder.field(base.head.epoch)
            encoder.field(base.head.at.microsecondsSince1970)
            encoder.field(base.head.digest)
            encoder.field(base.holder)
            encoder.field(base.beganAt.microsecondsSince1970)
            encoder.field(base.reason)
        case .entry(let entry):
            encoder.begin(prefix: nil, type: "E")
            encoder.field(previous)
            encoder.field(entry.ordinal)
            encoder.field(entry.changeID)
            encoder.field(entry.occurredAt.microsecondsSince1970)
            encoder.field(entry.cause)
            encoder.field(entry.causeDetail)
            for index in 0..<4 { encoder.field(entry.counts.indices.contains(index) ? entry.counts[index] : 0) }
            encoder.field(entry.contentDigest)
        case .holder(let holder):
            encoder.begin(prefix: nil, type: "H")
            encoder.field(previous)
            encoder.field(holder)
        }
        return encoder.bytes
    }

    /// Reads the record that a digest is taken over.
    ///
    /// - Returns: Nil when it is none, or does not follow `previous`.
    init?(_ body: [UInt8], after previous: Digest32) {
        var reader = RecordReader(body)
        guard let type = reader.type(), reader.digest() == previous else { return nil }
        switch type {
        case UInt8(ascii: "B"):
            guard reader.text() == Self.format, let revision = reader.number(), let epoch = reader.number(),
                let at = reader.number(), let digest = reader.digest(), let holder = reader.uuid(),
                let beganAt = reader.number(), let reason = reader.text(), reader.isAtEnd
            else { return nil }
            self = .base(
                OutageJournal.Base(
                    head: LedgerHead(
                        revision: Revision(revision), epoch: epoch, at: Timestamp(microsecondsSince1970: at),
                        digest: digest),
                    holder: holder, beganAt: Timestamp(microsecondsSince1970: beganAt), reason: reason))
        case UInt8(ascii: "E"):
            guard let ordinal = reader.number(), let changeID = reader.uuid(), let occurredAt = reader.number(),
                let cause = reader.text(), let detail = reader.text(), let added = reader.number(),
                let removed = reader.number(), let moved = reader.number(), let relabelled = reader.number(),
                let content = reader.digest(), reader.isAtEnd
            else { return nil }
            self = .entry(
                JournalEntry(
                    ordinal: ordinal, changeID: changeID, occurredAt: Timestamp(microsecondsSince1970: occurredAt),
                    cause: cause, causeDetail: detail, counts: [added, removed, moved, relabelled],
                    contentDigest: content, previous: previous, digest: Digest32.hash(body)))
        case UInt8(ascii: "H"):
            guard let holder = reader.uuid(), reader.isAtEnd else { return nil }
            self = .holder(holder)
        default: return nil
        }
    }
}

/// Reads a journal's bytes, piece by piece, and finds where they end to be trustworthy.
///
/// It says what it wants to be given next. What a crash has left of the last piece is not counted in ``byteCount``: cut the
/// file there. A piece that is wrong with others behind it is no work of a crash.
package struct JournalScanner: Sendable {
    /// What has been read so far; nil before the first record.
    package private(set) var journal: OutageJournal?
    /// Bytes from the beginning that count, contents included.
    package private(set) var byteCount: Int64 = 0
    /// Where the content of each entry stands.
    package private(set) var contents: [Range<Int64>] = []
    private let fileSize: Int64
    private var state = State.header

    private enum State: Sendable {
        /// Length of the piece, and of the record in it. Can transition to: record, ended.
        case header
        /// The record and its digest. Can transition to: header, content, ended.
        case record(Int, pieceEnd: Int64)
        /// Can transition to: header, ended.
        case content(JournalEntry, Range<Int64>)
        case ended
    }

    package init(fileSize: Int64) { self.fileSize = fileSize }

    /// What to read next.
    package enum Step: Sendable, Hashable {
        /// These bytes of the file, for ``JournalScanner/take(_:)``.
        case read(Range<Int64>)
        /// SHA-256 of these bytes, for ``JournalScanner/take(contentDigest:)``.
        case digest(Range<Int64>)
        /// The file ends here, or what follows was cut by a crash.
        case end
    }

    private static let headerBytes: Int64 = 12

    package var step: Step {
        switch state {
        case .header:
            byteCount + Self.headerBytes <= fileSize ? .read(byteCount..<byteCount + Self.headerBytes) : .end
        case .record(let count, _):
            .read(byteCount + Self.headerBytes..<byteCount + Self.headerBytes + Int64(count))
        case .content(_, let range): .digest(range)
        case .ended: .end
        }
    }

    /// Takes the bytes that a `read` step asked for.
    ///
    /// - Throws: ``JournalError``.
    package mutating func take(_ bytes: [UInt8]) throws(JournalError) {
        switch state {
        case .header:
            let piece = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let record = bytes.suffix(4).reduce(0) { $0 << 8 | Int($1) } + Digest32.byteCount
            // A crash may leave zeros.
            guard piece > 0, piece <= UInt64(fileSize - byteCount - 8) else { return state = .ended }
            let end = byteCount + 8 + Int64(piece)
            guard record <= JournalRecord.bytesMax, byteCount + Self.headerBytes + Int64(record) <= end else {
                return try endOrThrow(end)
            }
            state = .record(record, pieceEnd: end)
        case .record(let count, let end):
            let body = Array(bytes.dropLast(Digest32.byteCount))
            guard Digest32(bytes.suffix(Digest32.byteCount)) == Digest32.hash(body),
                let record = JournalRecord(body, after: journal?.tip ?? .zero)
            else { return try endOrThrow(end) }
            try take(record, content: byteCount + Self.headerBytes + Int64(count)..<end)
        case .content, .ended: break
        }
    }

    /// Takes the digest that a `digest` step asked for.
    package mutating func take(contentDigest: Digest32) throws(JournalError) {
        guard case .content(let entry, let range) = state else { return }
        guard contentDigest == entry.contentDigest else { return try endOrThrow(range.upperBound) }
        try journal?.take(.entry(entry))
        contents.append(range)
        byteCount = range.upperBound
        state = .header
    }

    private mutating func take(_ record: JournalRecord, content: Range<Int64>) throws(JournalError) {
        // Only an entry has content.
        if case .entry = record {} else if !content.isEmpty { return try endOrThrow(content.upperBound) }
        switch record {
        case .base(let base):
            guard journal == nil else { throw .altered("a second beginning") }
            journal = OutageJournal(base: base)
        case .holder:
            guard journal != nil else { throw .notAJournal }
            try journal?.take(record)
        case .entry(let entry):
            guard journal != nil else { throw .notAJournal }
            return state = .content(entry, content)
        }
        byteCount = content.upperBound
        state = .header
    }

    private mutating func endOrThrow(_ pieceEnd: Int64) throws(JournalError) {
        guard pieceEnd >= fileSize else { throw .altered("what stands at byte \(byteCount) is not what was written") }
        state = .ended
    }

    /// Reads a whole journal that is in memory.
    package static func scan(_ bytes: [UInt8]) throws(JournalError) -> JournalScanner {
        var scanner = JournalScanner(fileSize: Int64(bytes.count))
        while true {
            switch scanner.step {
            case .read(let range): try scanner.take(Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
            case .digest(let range):
                try scanner.take(contentDigest: .hash(Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])))
            case .end: return scanner
            }
        }
    }
}
