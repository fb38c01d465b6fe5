//
// AnswerPiecesTests.swift
//

import AllocationCore
import AllocatorRuntime
import NIOCore
import Testing

@testable import AllocatorAPI

/// Goal: a list is rendered byte for byte as collectors expect, however it is cut.
@Suite struct AnswerPiecesTests {
    private func pieces(_ targets: [FixtureTarget]) throws -> AnswerPieces {
        let snapshot = SnapshotFixture.snapshot(targets, collectors: ["c"])
        return AnswerPieces(list: try #require(snapshot.targetList(job: "j", collector: "c")), in: snapshot.table)
    }

    private static let odd = [
        FixtureTarget("j", "c", ["__address__": "b:1", "z": "1", "A": "2", "__meta_x": "3"]),
        FixtureTarget("j", "c", ["__address__": "a<&>\u{2028}\"\\", "q\n": "tab\t\u{1}ü"]),
        FixtureTarget("j", "c", ["only": "label"]), FixtureTarget("j", "c", [:]),
        FixtureTarget("j", "c", ["__address__": "", "empty": ""]),
    ]

    @Test func elementsAreByteExact() throws {
        let body = try pieces(Self.odd).rendered()
        #expect(
            String(buffer: body) == #"[{"targets":[""],"labels":{"only":"label"}},{"targets":[""],"labels":{}},"#
                + #"{"targets":[""],"labels":{"__address__":"","empty":""}},"#
                + #"{"targets":["a\u003c\u0026\u003e\u2028\"\\"],"labels":{"__address__":"a\u003c\u0026\u003e\u2028\"\\","#
                + #""q\n":"tab\t\u0001ü"}},"#
                + #"{"targets":["b:1"],"labels":{"A":"2","__address__":"b:1","__meta_x":"3","z":"1"}}]"# + "\n")
    }

    @Test(arguments: [1, 7, 100, 1000, 100_000])
    func piecesTogetherAreTheWhole(bytesMax: Int) throws {
        let pieces = try pieces(Self.odd + SnapshotFixture.many(50, job: "j", collector: "c"))
        var cursor = pieces.makeCursor()
        var joined = ByteBuffer()
        var count = 0
        while var piece = cursor.next(bytesMax: bytesMax) {
            joined.writeBuffer(&piece)
            count += 1
        }
        #expect(joined == pieces.rendered())
        #expect(joined.readableBytes == pieces.byteCount)
        #expect(bytesMax == 100_000 ? count == 1 : count > 1)
    }
}
