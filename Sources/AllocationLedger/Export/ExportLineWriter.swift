//
// ExportLineWriter.swift: records as lines of a whole export.
//
// NDJSON: each line is an object of one row, named by its first member `table`. Everything is as the tables have it, but
// instants are microseconds since 1970 and bytes are hexadecimal, as the digests take them. The format's page is
// README.md, "Whole export".
//

import AllocationCore
import PostgresDriver

/// Appends records to a buffer.
struct ExportLineWriter {
    static let format = "target-ledger-export/1"

    private(set) var buffer: [UInt8] = []
    /// Lines so far.
    private(set) var lines: Int64 = 0

    mutating func removeAll() { buffer.removeAll(keepingCapacity: true) }

    mutating func begin() {
        line("export") { $0.member("format", Self.format) }
    }

    /// The line without which an export is not whole.
    mutating func end() {
        let count = lines
        line("end") { $0.member("lines", count) }
    }

    mutating func append(_ record: LedgerRecord) {
        switch record {
        case .targetEvent(let row): append(row)
        case .collectorEvent(let row): append(row)
        case .revision(let row): append(row)
        case .block(let last): line("block") { $0.member("last", last) }
        case .partition(let row):
            line("partition") {
                $0.member("of", row.table)
                $0.member("name", row.name)
            }
        case .head(let head):
            line("head") {
                $0.member("revision", head.revision.number)
                $0.member("epoch", head.epoch)
                $0.member("at", head.at)
                $0.member("digest", head.digest)
            }
        case .witness(let table, let revision):
            line("witness") {
                $0.member("of", table)
                $0.member("revision", revision)
            }
        case .job, .collector, .configuration, .ring, .target, .labelSet: appendDictionary(record)
        case .term(let term): append(term)
        case .gap(let gap):
            line("gap") {
                $0.member("from_at", gap.from)
                $0.member("to_at", gap.to)
                $0.member("cause", gap.cause)
                $0.member("detail", gap.detail)
            }
        case .seal(let seal): append(seal)
        case .currentRule(let configuration, let ring):
            line("current_rule") {
                $0.member("configuration", configuration.map(Int64.init))
                $0.member("ring", Int64(ring))
            }
        case .currentCollector(let collector, let node, let since):
            line("current_collector") {
                $0.member("collector", Int64(collector))
                $0.member("node", node)
                $0.member("since_revision", since)
            }
        case .currentTarget(let target, let collector, let labelSet, let since):
            line("current_target") {
                $0.member("target", Int64(target))
                $0.member("collector", collector.map(Int64.init))
                $0.member("label_set", Int64(labelSet))
                $0.member("since_revision", since)
            }
        }
    }

    private mutating func appendDictionary(_ record: LedgerRecord) {
        switch record {
        case .job(let id, let name):
            line("job") {
                $0.member("id", Int64(id))
                $0.member("name", name)
            }
        case .collector(let id, let name, let uid):
            line("collector") {
                $0.member("id", Int64(id))
                $0.member("name", name)
                $0.member("uid", uid)
            }
        case .configuration(let id, let digest, let text):
            line("configuration") {
                $0.member("id", Int64(id))
                $0.member("digest", digest)
                $0.member("text", text)
            }
        case .ring(let id, let digest, let placement):
            line("ring") {
                $0.member("id", Int64(id))
                $0.member("digest", digest)
                $0.member("strategy", placement.strategy)
                $0.member("version", placement.ringVersion)
                $0.list("members", placement.members) { $0.value($1) }
                $0.list("partition_owners", placement.partitionOwners) { $0.value(Int64(Int16(bitPattern: $1))) }
                $0.member("note", placement.note)
            }
        case .target(let id, let job, let identity, let address):
            line("target") {
                $0.member("id", Int64(id))
                $0.member("job", Int64(job))
                $0.member("identity", Int64(bitPattern: identity))
                $0.member("address", address)
            }
        case .labelSet(let id, let digest, let pairs):
            line("label_set") {
                $0.member("id", Int64(id))
                $0.member("digest", digest)
                $0.list("labels", pairs) { $0.value($1) }
            }
        default: break
        }
    }

    private mutating func append(_ row: TargetEventRow) {
        line("target_event") {
            $0.member("revision", row.revision)
            $0.member("ordinal", Int64(row.ordinal))
            $0.member("at", row.at)
            $0.member("target", Int64(row.target))
            $0.member(id: "collector_before", row.collectorBefore)
            $0.member(id: "collector_after", row.collectorAfter)
            $0.member(id: "label_set_before", row.labelSetBefore)
            $0.member(id: "label_set_after", row.labelSetAfter)
            $0.member("leaf", Int64(row.leaf))
            $0.member("reason", Int64(row.reason))
            $0.member("flags", Int64(row.flags))
        }
    }

    private mutating func append(_ row: CollectorEventRow) {
        line("collector_event") {
            $0.member("revision", row.revision)
            $0.member("ordinal", Int64(row.ordinal))
            $0.member("at", row.at)
            $0.member("collector", Int64(row.collector))
            $0.member("leaf", Int64(row.leaf))
            $0.member("kind", Int64(row.kind))
            $0.member("node", row.node)
            $0.member("evidence", row.evidence)
        }
    }

    private mutating func append(_ row: RevisionRow) {
        line("revision") {
            $0.member("revision", row.revision)
            $0.member("at", row.at)
            $0.member("epoch", row.epoch)
            $0.member("change_id", row.changeID.description)
            $0.member("cause", row.cause)
            $0.member("cause_detail", row.causeDetail)
            $0.member("occurred_at", row.occurredAt?.microsecondsSince1970)
            $0.member("replica", row.replica.description)
            $0.member("ring", Int64(row.ring))
            $0.member("configuration", row.configuration.map(Int64.init))
            $0.member("targets_added", Int64(row.counts.targetsAdded))
            $0.member("targets_removed", Int64(row.counts.targetsRemoved))
            $0.member("targets_moved", Int64(row.counts.targetsMoved))
            $0.member("targets_relabelled", Int64(row.counts.targetsRelabelled))
            $0.member("target_events", Int64(row.counts.targetEvents))
            $0.member("collector_events", Int64(row.counts.collectorEvents))
            $0.member("events_digest", row.eventsDigest)
            $0.member("previous_digest", row.previousDigest)
            $0.member("digest", row.digest)
        }
    }

    private mutating func append(_ term: Term) {
        line("term") {
            $0.member("epoch", term.epoch)
            $0.member("holder", term.holder.description)
            $0.member("address", term.address)
            $0.member("acquired_at", term.acquiredAt)
            $0.member("ended_at", term.endedAt?.microsecondsSince1970)
            $0.member("end_reason", term.endReason)
            $0.member("first_revision", term.firstRevision)
            $0.member("first_digest", term.firstDigest)
            $0.member("system_identifier", term.systemIdentifier)
            $0.member("timeline", term.timeline.map(Int64.init))
        }
    }

    private mutating func append(_ seal: SealRecord) {
        line("seal") {
            $0.member("partition", seal.partition)
            $0.member("from_at", seal.from)
            $0.member("to_at", seal.to)
            $0.member("rows", seal.rows)
            $0.member("first_revision", seal.firstRevision)
            $0.member("last_revision", seal.lastRevision)
            $0.member("digest", seal.digest)
            $0.member("tree", hexadecimal: seal.tree)
        }
    }

    // MARK: JSON

    private mutating func line(_ table: StaticString, _ members: (inout ExportLineWriter) -> Void) {
        text(#"{"table":""#)
        text(table)
        buffer.append(UInt8(ascii: "\""))
        members(&self)
        text("}\n")
        lines += 1
    }

    private mutating func text(_ text: StaticString) {
        buffer.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func name(_ name: StaticString) {
        text(",\"")
        text(name)
        text("\":")
    }

    private mutating func value(_ number: Int64) {
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        var rest = number.magnitude
        withUnsafeMutableBytes(of: &digits) { bytes in
            var start = bytes.count
            repeat {
                start -= 1
                bytes[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            if number < 0 {
                start -= 1
                bytes[start] = UInt8(ascii: "-")
            }
            buffer.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start...]))
        }
    }

    private mutating func value(_ text: String) { JSONText.appendQuoted(text, to: &buffer) }

    private mutating func value(hexadecimal bytes: [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        buffer.append(UInt8(ascii: "\""))
        for byte in bytes {
            buffer.append(digits[Int(byte >> 4)])
            buffer.append(digits[Int(byte & 15)])
        }
        buffer.append(UInt8(ascii: "\""))
    }

    /// Name and value; null and name, byte FF, value in hexadecimal where a text cannot hold them; the id of a row that is
    /// gone.
    private mutating func value(_ pair: LabelPair) {
        switch pair {
        case .gone(let id): value(Int64(id))
        case .pair(let name, let content):
            if let name = String(validating: name, as: UTF8.self),
                let content = String(validating: content, as: UTF8.self)
            {
                text("[")
                value(name)
                text(",")
                value(content)
                text("]")
            } else {
                text("[null,")
                value(hexadecimal: name + [0xFF] + content)
                text("]")
            }
        }
    }

    private mutating func member(_ name: StaticString, _ number: Int64?) {
        self.name(name)
        if let number { value(number) } else { text("null") }
    }

    private mutating func member(id name: StaticString, _ id: Int32) {
        member(name, id == 0 ? nil : Int64(id))
    }

    private mutating func member(_ name: StaticString, _ text: String?) {
        self.name(name)
        if let text { value(text) } else { self.text("null") }
    }

    private mutating func member(_ name: StaticString, _ time: Timestamp) {
        member(name, time.microsecondsSince1970)
    }

    private mutating func member(_ name: StaticString, _ digest: Digest32?) {
        member(name, hexadecimal: digest?.bytes)
    }

    private mutating func member(_ name: StaticString, hexadecimal bytes: [UInt8]?) {
        self.name(name)
        if let bytes { value(hexadecimal: bytes) } else { text("null") }
    }

    private mutating func list<Element>(
        _ name: StaticString, _ elements: [Element], _ write: (inout ExportLineWriter, Element) -> Void
    ) {
        self.name(name)
        text("[")
        for (index, element) in elements.enumerated() {
            if index > 0 { text(",") }
            write(&self, element)
        }
        text("]")
    }
}
