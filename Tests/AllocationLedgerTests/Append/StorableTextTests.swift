import Testing

@testable import AllocationLedger

@Suite struct StorableTextTests {
    @Test("Zero bytes are mended, and length is bounded between characters")
    func mended() {
        #expect(StorableText.mended("plain") == "plain")
        #expect(StorableText.mended("a\0b") == "a\u{FFFD}b")
        #expect(StorableText.mended("ééé", bytesMax: 3) == "é…")
        #expect(StorableText.mended(String(repeating: "x", count: 5000)).utf8.count == 4096 + 3)
    }

    @Test("A name with a zero byte is refused by name")
    func require() {
        #expect(throws: Never.self) { try StorableText.require("shop", "job name") }
        let error = #expect(throws: LedgerError.self) { try StorableText.require("sh\0op", "job name") }
        #expect(error?.description.contains("job name \"sh\u{FFFD}op\"") == true)
    }
}
