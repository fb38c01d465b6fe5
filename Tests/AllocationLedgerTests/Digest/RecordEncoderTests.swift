import AllocationCore
import PostgresDriver
import Testing

@testable import AllocationLedger

/// Goal: digests are over the bytes that the module's README describes, for ever: a ledger is checked years later.
///
/// Method: each record's bytes put together here by hand from the description. A test in Tests/Shell does the same from
/// a real ledger in another language.
@Suite struct RecordEncoderTests {
    private func number(_ value: Int64) -> [UInt8] {
        [0, 0, 0, 8] + withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
    private func short(_ value: Int16) -> [UInt8] { [0, 0, 0, 2] + withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    private func text(_ value: String) -> [UInt8] { [0, 0, 0, UInt8(value.utf8.count)] + Array(value.utf8) }
    private func digest(_ value: Digest32) -> [UInt8] { [0, 0, 0, 32] + value.bytes }
    private let absent: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF]

    @Test("A label set is its pairs in order, text or not")
    func labelSet() {
        let table = LabelTable()
        let labels = LabelSet(["b": "zwei", "a": ""], in: table)
        let expected = Digest32.hash(Array("L".utf8) + text("a") + text("") + text("b") + text("zwei"))
        var digester = RecordDigester()
        #expect(digester.labelSet(labels, in: table) == expected)
        #expect(
            digester.labelSet([(Array("a".utf8), []), (Array("b".utf8), Array("zwei".utf8))]) == expected)
    }

    @Test("A target event has its place, its target and the state before and after")
    func targetEvent() {
        let labels = Digest32.hash([7])
        var content = RecordDigester.TargetEventContent(
            revision: 3, ordinal: 1, job: "shop", identity: 0xFFFF_FFFF_FFFF_FFFE, address: "a:1",
            collectorBefore: nil, collectorAfter: .init(name: "c", uid: ""), labelsBefore: nil, labelsAfter: labels,
            reason: 1, flags: 1)
        var digester = RecordDigester()
        let place: [UInt8] = [0] + Array("T".utf8) + number(3) + number(1)
        let target = text("shop") + number(-2) + text("a:1")
        #expect(
            digester.targetEvent(content)
                == Digest32.hash(
                    place + target + absent + absent + text("c") + text("") + absent + digest(labels) + short(1)
                        + short(1)))
        let first = digester.targetEvent(content)
        content.ordinal = 2
        #expect(digester.targetEvent(content) != first)
    }

    @Test("A collector event tells an absent node from an empty one")
    func collectorEvent() {
        var content = RecordDigester.CollectorEventContent(
            revision: 3, ordinal: 0, kind: 2, collector: .init(name: "c", uid: "u"), node: nil, evidence: "file")
        var digester = RecordDigester()
        let begin: [UInt8] = [0] + Array("C".utf8) + number(3) + number(0) + short(2) + text("c") + text("u")
        #expect(digester.collectorEvent(content) == Digest32.hash(begin + absent + text("file")))
        content.node = ""
        #expect(digester.collectorEvent(content) == Digest32.hash(begin + text("") + text("file")))
    }

    @Test("A revision binds everything that was decided, and the revision before it")
    func revision() {
        let (ring, events, previous) = (Digest32.hash([1]), Digest32.hash([2]), Digest32.hash([3]))
        var record = RevisionRecord(
            revision: 9, epoch: 2, at: Timestamp(microsecondsSince1970: 1_700_000_000_000_001),
            changeID: UUID128(high: 1, low: 2), cause: "discovery", causeDetail: "shop", occurredAt: nil,
            replica: UUID128(high: 3, low: 4), configuration: nil, ring: ring,
            counts: RevisionCounts(
                targetsAdded: 1, targetsRemoved: 2, targetsMoved: 3, targetsRelabelled: 4, targetEvents: 5,
                collectorEvents: 6),
            eventsDigest: events, previousDigest: previous)
        var digester = RecordDigester()
        let begin: [UInt8] =
            [0] + Array("R".utf8) + text("target-ledger/1") + number(9) + number(2) + number(1_700_000_000_000_001)
        let change =
            text("00000000-0000-0001-0000-000000000002") + text("discovery") + text("shop") + absent
            + text("00000000-0000-0003-0000-000000000004") + absent + digest(ring)
        let counts = (1...6).flatMap { number($0) }
        #expect(
            digester.revision(record)
                == Digest32.hash(begin + change + counts + digest(events) + digest(previous)))
        let first = digester.revision(record)
        record.previousDigest = .zero
        #expect(digester.revision(record) != first)
    }
}
