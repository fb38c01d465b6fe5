import AllocationCore
import PostgresDriver
import Testing

@testable import AllocationLedger

/// Goal: whatever a ledger holds comes back from an export as it was, and a broken export is named with its line.
@Suite struct ExportLineTests {
    private final class Collector: LedgerRecordSink {
        var records: [LedgerRecord] = []
        func take(_ record: LedgerRecord) { records.append(record) }
    }

    private static let odd = "\"quoted\" \\ back, \u{1}\n\t zürich \u{1F600} \u{2028}"
    private static let digest = Digest32.hash([1])
    private static let time = Timestamp(microsecondsSince1970: 1_763_700_000_123_456)

    private static let records: [LedgerRecord] = [
        .partition(PartitionRow(table: "revision", name: "revision_20261121")),
        .head(LedgerHead(revision: Revision(7), epoch: 2, at: time, digest: digest)),
        .job(id: 1, name: odd), .collector(id: 2, name: odd, uid: ""),
        .configuration(id: 3, digest: digest, text: odd), .configuration(id: 4, digest: nil, text: ""),
        .ring(
            id: 5, digest: digest,
            Placement(
                strategy: "consistent-hashing", ringVersion: "v1", members: [odd, "b"], partitionOwners: [0, 65535],
                note: odd)),
        .ring(
            id: 6, digest: digest,
            Placement(strategy: "least-weighted", ringVersion: nil, members: [], partitionOwners: [])),
        .target(id: 7, job: 1, identity: .max, address: odd), .target(id: 8, job: 1, identity: 0, address: ""),
        .labelSet(
            id: 9, digest: digest,
            [
                .pair(name: Array("a".utf8), value: Array(odd.utf8)), .pair(name: [0x62], value: [0xFE, 0x80, 0]),
                .gone(id: 12),
            ]),
        .labelSet(id: 10, digest: nil, []),
        .term(
            Term(
                epoch: 1, holder: UUID128(high: 1, low: .max), address: "host:1", acquiredAt: time, endedAt: nil,
                endReason: nil, firstRevision: 0, firstDigest: .zero, systemIdentifier: .max, timeline: 1)),
        .term(
            Term(
                epoch: 2, holder: UUID128(high: 1, low: 2), address: "", acquiredAt: time, endedAt: time,
                endReason: odd, firstRevision: 3, firstDigest: digest, systemIdentifier: nil, timeline: nil)),
        .gap(Gap(from: time, to: time, cause: "stopped", detail: odd)),
        .seal(
            SealRecord(
                partition: "revision_20261120", from: time, to: time, rows: 3, firstRevision: 1, lastRevision: 3,
                digest: digest, tree: digest.bytes + digest.bytes)),
        .seal(
            SealRecord(
                partition: "delivery_20261120", from: time, to: time, rows: 0, firstRevision: nil, lastRevision: nil,
                digest: digest, tree: nil)),
        .witness(table: "delivery", revision: 7), .block(last: .max),
        .revision(
            RevisionRow(
                revision: 4, at: time, epoch: 2, changeID: UUID128(high: .max, low: 5), cause: "discovery",
                causeDetail: odd, occurredAt: time, replica: UUID128(high: 0, low: 0), ring: 5, configuration: 3,
                counts: RevisionCounts(
                    targetsAdded: 1, targetsRemoved: 2, targetsMoved: 3, targetsRelabelled: 4, targetEvents: 5,
                    collectorEvents: 6), eventsDigest: digest, previousDigest: .zero, digest: digest)),
        .revision(
            RevisionRow(
                revision: 5, at: time, epoch: 2, changeID: UUID128(high: 0, low: 5), cause: "bootstrap",
                causeDetail: "", occurredAt: nil, replica: UUID128(high: 0, low: 0), ring: 5, configuration: nil,
                counts: RevisionCounts(), eventsDigest: nil, previousDigest: nil, digest: nil)),
        .targetEvent(
            TargetEventRow(
                revision: 4, ordinal: 0, at: time, target: 7, collectorBefore: 0, collectorAfter: 2, labelSetBefore: 0,
                labelSetAfter: 9, leaf: .min, reason: 1, flags: 17)),
        .collectorEvent(
            CollectorEventRow(
                revision: 4, ordinal: 1, at: time, collector: 2, leaf: -1, kind: 2, node: nil, evidence: odd)),
        .currentRule(configuration: nil, ring: 5), .currentCollector(collector: 2, node: odd, since: 4),
        .currentTarget(target: 7, collector: nil, labelSet: 9, since: 4),
        .currentTarget(target: 8, collector: 2, labelSet: 9, since: 4),
    ]

    private static func written(_ records: [LedgerRecord]) -> [UInt8] {
        var writer = ExportLineWriter()
        writer.begin()
        for record in records { writer.append(record) }
        writer.end()
        return writer.buffer
    }

    private static func read(_ bytes: [UInt8]) throws -> [LedgerRecord] {
        let collector = Collector()
        try TemporaryFile.with(bytes) { try ExportRecords.read($0, into: collector) { _ in } }
        return collector.records
    }

    @Test("Each kind of row comes back as it was")
    func roundTrip() throws {
        let read = try Self.read(Self.written(Self.records))
        #expect(read.count == Self.records.count)
        for (record, original) in zip(read, Self.records) { #expect("\(record)" == "\(original)") }
    }

    @Test("Members may come in any order, with spaces")
    func order() throws {
        let lines = [
            #"{"format": "target-ledger-export/1" , "table" :"export"}"#,
            #" { "name" : "x", "id":1,"table":"job" } "#.dropFirst().description,
            #"{"lines":2,"table":"end"}"#,
        ]
        let read = try Self.read(Array((lines.joined(separator: "\r\n") + "\r\n").utf8))
        #expect(read.map { "\($0)" } == ["\(LedgerRecord.job(id: 1, name: "x"))"])
    }

    @Test(
        "A broken line is named",
        arguments: [
            #"{"table":"job","id":1}"#, #"{"table":"job","id":"1","name":"x"}"#, #"{"table":"job","id":1,"name":null}"#,
            #"{"table":"job","id":4294967296,"name":"x"}"#, #"{"table":"job","id":99999999999999999999,"name":"x"}"#,
            #"{"table":"job","id":1,"name":"x"#, #"{"table":"job","id":1,"name":"\x"}"#, #"{"table":"what"}"#, "", "{}",
            "[]", #"{"table":"job","id":1,"name":"x"} more"#, #"{"table":"job","id":1,"name":"\ud800"}"#,
            #"{"table":"configuration","id":1,"digest":"0g","text":""}"#, #"{"table":"block","last":-}"#,
            #"{"table":"label_set","id":1,"digest":null,"labels":[["a"]]}"#,
            #"{"table":"label_set","id":1,"digest":null,"labels":[[[[[[]]]]]]}"#,
            #"{"table":"label_set","id":1,"digest":null,"labels":[["a","b"]}"#,
        ])
    func broken(line: String) {
        let bytes = Array("{\"table\":\"export\",\"format\":\"target-ledger-export/1\"}\n\(line)\n".utf8)
        let error = #expect(throws: ExportError.self) { try Self.read(bytes) }
        #expect(error?.line == 2, "\(String(describing: error))")
    }

    @Test("An export that was cut off is none, wherever the cut is")
    func cutOff() throws {
        let whole = Self.written(Array(Self.records.prefix(6)))
        for length in stride(from: 0, to: whole.count, by: 7) {
            #expect(throws: ExportError.self, "\(length)") { try Self.read(Array(whole.prefix(length))) }
        }
        #expect(throws: ExportError.self) { try Self.read(whole + Array("{\"table\":\"block\",\"last\":1}\n".utf8)) }
        let lines = whole.split(separator: 10).map { Array($0) + [10] }
        let gap = Array((lines[..<2] + lines[3...]).joined())
        #expect(throws: ExportError.self) { try Self.read(gap) }
        #expect(throws: ExportError.self) { try Self.read(Array(lines[1...].joined())) }
    }
}
