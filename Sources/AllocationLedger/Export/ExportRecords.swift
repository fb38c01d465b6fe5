//
// ExportRecords.swift: a ledger's records out of a whole export: no database, one line in memory at a time.
//

import AllocationCore
import Glibc
import PostgresDriver

/// Reads an export and hands its records on.
struct ExportRecords {
    private var line = ExportLine()
    private var lines: Int64 = 0
    private var isWhole = false

    /// No line of a true export comes near it: a configuration is the longest.
    private static let lineBytesMax = 256 << 20
    private static let chunkBytes = 1 << 20

    /// - Parameters:
    ///   - descriptor: Of an open file or pipe.
    ///   - progress: Told how many bytes are done.
    /// - Throws: ``ExportError``.
    static func read(
        _ descriptor: Int32, into sink: some LedgerRecordSink, progress: (_ bytes: Int64) -> Void
    ) throws {
        var records = ExportRecords()
        var buffer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: chunkBytes)
        var done: Int64 = 0
        while true {
            let count = chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw ExportError(line: 0, problem: "cannot be read: \(String(cString: strerror(errno)))")
            }
            if count == 0 { break }
            buffer.append(contentsOf: chunk[..<count])
            done += Int64(count)
            let taken = try buffer.withUnsafeBytes { try records.takeLines($0, into: sink) }
            buffer.removeFirst(taken)
            guard buffer.count <= lineBytesMax else {
                throw ExportError(line: records.lines + 1, problem: "is longer than \(lineBytesMax) bytes")
            }
            progress(done)
        }
        guard buffer.isEmpty, records.isWhole else {
            throw ExportError(line: 0, problem: "was cut off: its last line, \"end\", is missing")
        }
    }

    /// - Returns: The bytes of whole lines.
    private mutating func takeLines(_ bytes: UnsafeRawBufferPointer, into sink: some LedgerRecordSink) throws -> Int {
        var start = 0
        while start < bytes.count, let base = bytes.baseAddress,
            let end = memchr(base + start, 0x0A, bytes.count - start)
        {
            let stop = UnsafeRawPointer(end) - base
            lines += 1
            try line.read(UnsafeRawBufferPointer(rebasing: bytes[start..<stop]), number: lines)
            try takeLine(into: sink)
            start = stop + 1
        }
        return start
    }

    private mutating func takeLine(into sink: some LedgerRecordSink) throws {
        guard !isWhole else { throw line.failure("comes after the last one, \"end\"") }
        let table = try line.text("table")
        guard lines > 1 || table == "export" else { throw line.failure("an export begins with a line \"export\"") }
        switch table {
        case "target_event": try sink.take(.targetEvent(try line.targetEvent()))
        case "collector_event": try sink.take(.collectorEvent(try line.collectorEvent()))
        case "revision": try sink.take(.revision(try line.revision()))
        case "export":
            let format = try line.text("format")
            guard lines == 1, format == ExportLineWriter.format else {
                throw line.failure("the format is \(String(reflecting: format)); known is \(ExportLineWriter.format)")
            }
        case "end":
            guard try line.number("lines") == lines - 1 else {
                throw line.failure("there are not as many lines as it says")
            }
            isWhole = true
        default: try sink.take(try line.other(table))
        }
    }
}

extension ExportLine {
    fileprivate mutating func time(_ key: StaticString) throws(ExportError) -> Timestamp {
        Timestamp(microsecondsSince1970: try number(key))
    }

    fileprivate mutating func uuid(_ key: StaticString) throws(ExportError) -> UUID128 {
        guard let uuid = UUID128(try text(key)) else { throw failure("\"\(key)\" is no UUID") }
        return uuid
    }

    fileprivate mutating func targetEvent() throws(ExportError) -> TargetEventRow {
        TargetEventRow(
            revision: try number("revision"), ordinal: try number("ordinal", as: Int32.self), at: try time("at"),
            target: try id("target"), collectorBefore: try id("collector_before"),
            collectorAfter: try id("collector_after"), labelSetBefore: try id("label_set_before"),
            labelSetAfter: try id("label_set_after"), leaf: try number("leaf", as: Int32.self),
            reason: try number("reason", as: Int16.self), flags: try number("flags", as: Int16.self))
    }

    fileprivate mutating func collectorEvent() throws(ExportError) -> CollectorEventRow {
        CollectorEventRow(
            revision: try number("revision"), ordinal: try number("ordinal", as: Int32.self), at: try time("at"),
            collector: try id("collector"), leaf: try number("leaf", as: Int32.self),
            kind: try number("kind", as: Int16.self), node: try optionalText("node"), evidence: try text("evidence"))
    }

    fileprivate mutating func revision() throws(ExportError) -> RevisionRow {
        RevisionRow(
            revision: try number("revision"), at: try time("at"), epoch: try number("epoch"),
            changeID: try uuid("change_id"), cause: try text("cause"), causeDetail: try text("cause_detail"),
            occurredAt: try optionalNumber("occurred_at").map(Timestamp.init(microsecondsSince1970:)),
            replica: try uuid("replica"), ring: try id("ring"),
            configuration: try optionalNumber("configuration").flatMap { Int32(exactly: $0) },
            counts: RevisionCounts(
                targetsAdded: try number("targets_added", as: Int32.self),
                targetsRemoved: try number("targets_removed", as: Int32.self),
                targetsMoved: try number("targets_moved", as: Int32.self),
                targetsRelabelled: try number("targets_relabelled", as: Int32.self),
                targetEvents: try number("target_events", as: Int32.self),
                collectorEvents: try number("collector_events", as: Int32.self)),
            eventsDigest: try digest("events_digest"), previousDigest: try digest("previous_digest"),
            digest: try digest("digest"))
    }

    fileprivate mutating func other(_ table: String) throws(ExportError) -> LedgerRecord {
        switch table {
        case "block": return .block(last: try number("last"))
        case "partition": return .partition(PartitionRow(table: try text("of"), name: try text("name")))
        case "witness": return .witness(table: try text("of"), revision: try number("revision"))
        case "head":
            return .head(
                LedgerHead(
                    revision: Revision(try number("revision")), epoch: try number("epoch"), at: try time("at"),
                    digest: try digest("digest") ?? .zero))
        case "gap":
            return .gap(
                Gap(
                    from: try time("from_at"), to: try time("to_at"), cause: try text("cause"),
                    detail: try text("detail")))
        case "current_rule":
            return .currentRule(
                configuration: try optionalNumber("configuration").flatMap { Int32(exactly: $0) }, ring: try id("ring"))
        case "current_collector":
            return .currentCollector(
                collector: try id("collector"), node: try optionalText("node"), since: try number("since_revision"))
        case "current_target":
            let target = try id("target")
            let collector = try id("collector")
            return .currentTarget(
                target: target, collector: collector == 0 ? nil : collector, labelSet: try id("label_set"),
                since: try number("since_revision"))
        case "term": return .term(try term())
        case "seal": return .seal(try seal())
        default: return try dictionary(table)
        }
    }

    private mutating func term() throws(ExportError) -> Term {
        Term(
            epoch: try number("epoch"), holder: try uuid("holder"), address: try text("address"),
            acquiredAt: try time("acquired_at"),
            endedAt: try optionalNumber("ended_at").map(Timestamp.init(microsecondsSince1970:)),
            endReason: try optionalText("end_reason"), firstRevision: try number("first_revision"),
            firstDigest: try digest("first_digest") ?? .zero, systemIdentifier: try optionalNumber("system_identifier"),
            timeline: try optionalNumber("timeline").flatMap { Int32(exactly: $0) })
    }

    private mutating func seal() throws(ExportError) -> SealRecord {
        SealRecord(
            partition: try text("partition"), from: try time("from_at"), to: try time("to_at"),
            rows: try number("rows"),
            firstRevision: try optionalNumber("first_revision"), lastRevision: try optionalNumber("last_revision"),
            digest: try digest("digest") ?? .zero, tree: try optionalBytes("tree"))
    }

    private mutating func dictionary(_ table: String) throws(ExportError) -> LedgerRecord {
        switch table {
        case "job": return .job(id: try id("id"), name: try text("name"))
        case "collector": return .collector(id: try id("id"), name: try text("name"), uid: try text("uid"))
        case "configuration":
            return .configuration(id: try id("id"), digest: try digest("digest"), text: try text("text"))
        case "target":
            return .target(
                id: try id("id"), job: try id("job"), identity: UInt64(bitPattern: try number("identity")),
                address: try text("address"))
        case "label_set":
            let (id, digest) = (try id("id"), try digest("digest"))
            return .labelSet(id: id, digest: digest, try labelPairs())
        case "ring":
            let (id, digest) = (try id("id"), try digest("digest"))
            var placement = Placement(
                strategy: try text("strategy"), ringVersion: try optionalText("version"), members: [],
                partitionOwners: [], note: try optionalText("note"))
            for case .text(let member) in try list("members") { placement.members.append(member) }
            for case .number(let owner) in try list("partition_owners") {
                placement.partitionOwners.append(UInt16(bitPattern: Int16(truncatingIfNeeded: owner)))
            }
            return .ring(id: id, digest: digest, placement)
        default: throw failure("the table \(String(reflecting: table)) is not known")
        }
    }

    private mutating func labelPairs() throws(ExportError) -> [LabelPair] {
        var pairs: [LabelPair] = []
        for element in try list("labels") {
            switch element {
            case .number(let id): pairs.append(.gone(id: Int32(truncatingIfNeeded: id)))
            case .list(let parts) where parts.count == 2:
                if case .text(let name) = parts[0], case .text(let value) = parts[1] {
                    pairs.append(.pair(name: Array(name.utf8), value: Array(value.utf8)))
                } else if case .null = parts[0], case .text(let raw) = parts[1],
                    let pair = Hexadecimal.decoded(raw).flatMap({ LabelPair(raw: $0) })
                {
                    pairs.append(pair)
                } else {
                    throw failure("a label is neither a pair nor the id of a missing one")
                }
            default: throw failure("a label is neither a pair nor the id of a missing one")
            }
        }
        return pairs
    }
}
