import Testing

@testable import AllocationLedger

@Suite struct Digest32Tests {
    @Test("A digest is its bytes, its text and its first number, and keeps bytewise order")
    func forms() throws {
        let abc = Digest32.hash(Array("abc".utf8))
        #expect(abc.description == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(abc.shortText == "ba7816bf8f01")
        #expect(abc.prefix == Int32(bitPattern: 0xBA78_16BF))
        #expect(Digest32(abc.bytes) == abc)
        #expect(Digest32(abc.bytes.dropLast()) == nil)
        #expect(Digest32(abc.bytes + [0]) == nil)
        let digests = (0..<50 as Range<UInt8>).map { Digest32.hash([$0]) }
        for (a, b) in zip(digests, digests.dropFirst()) {
            #expect(Digest32.precedes(a, b) == a.bytes.lexicographicallyPrecedes(b.bytes))
        }
        #expect(!Digest32.precedes(abc, abc))
    }
}
