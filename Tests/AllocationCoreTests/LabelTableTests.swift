//
// LabelTableTests.swift: interning, order and merging of labels.
//

import AllocationCore
import Testing

/// Goal: equal pairs get equal IDs, and sets come out sorted, unique and merged as Prometheus does.
///
/// Method: a table per test; nothing shared.
@Suite struct LabelTableTests {
    let table = LabelTable()

    @Test("Equal pairs are one entry, different pairs are not")
    func interning() {
        let first = table.intern("a", "b")
        #expect(table.intern("a", "b") == first)
        #expect(table.intern("ab", "") != table.intern("a", "b"))
        #expect(table.name(first) == "a")
        #expect(table.value(first) == "b")
        #expect(table.count == 2)
    }

    @Test("A hundred thousand pairs survive growing")
    func growing() {
        let ids = (0..<100_000).map { table.intern("name-\($0 % 50)", "value-\($0)") }
        #expect(Set(ids).count == 100_000)
        for index in stride(from: 0, to: 100_000, by: 997) {
            #expect(table.value(ids[index]) == "value-\(index)")
            #expect(table.intern("name-\(index % 50)", "value-\(index)") == ids[index])
        }
    }

    @Test("A set is sorted bytewise and keeps the last of equal names")
    func unsorted() {
        let set = LabelSet(
            unsorted: [table.intern("b", "1"), table.intern("B", "2"), table.intern("b", "3")], in: table)
        #expect(set.ids.map { table.name($0) } == ["B", "b"])
        #expect(set.dictionary(in: table) == ["B": "2", "b": "3"])
    }

    @Test("A target's own label wins over its group's")
    func merging() {
        let group = LabelSet(["a": "group", "c": "group", "e": "group"], in: table)
        let own = LabelSet(["b": "own", "c": "own", "f": "own"], in: table)
        let merged = group.merging(own, in: table)
        #expect(
            merged.dictionary(in: table) == ["a": "group", "b": "own", "c": "own", "e": "group", "f": "own"])
        #expect(merged.ids.map { table.name($0) } == ["a", "b", "c", "e", "f"])
    }

    @Test(
        "xxHash64 equals upstream's values",
        arguments: [
            ("", 17_241_709_254_077_376_921), ("test-url-0", 13_910_996_243_722_157_454),
            ("10.0.0.1:8080", 14_670_231_106_277_521_029), ("collector-00", 17_835_216_388_151_590_826),
            ("0:collector-0", 15_743_899_210_377_152_703),
        ] as [(String, UInt64)]
    )
    func xxh64(text: String, expected: UInt64) {
        #expect(XXH64.hash(text) == expected)
    }

    @Test("JSON strings are escaped as Go's HTML-safe encoder does")
    func jsonEscapes() {
        var output: [UInt8] = []
        JSONText.appendQuoted("a\"\\<>&\u{2028}\n\u{01}é", to: &output)
        #expect(String(decoding: output, as: UTF8.self) == #""a\"\\\u003c\u003e\u0026\u2028\n\u0001é""#)
        #expect(table.isPlainJSON(table.intern("plain", "value é")))
        #expect(!table.isPlainJSON(table.intern("plain", "a<b")))
    }
}
