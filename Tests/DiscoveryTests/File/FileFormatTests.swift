import AllocationCore
import Testing

@testable import Discovery

/// Goal: files of target groups mean what they mean to Prometheus.
///
/// Method: every vector of sd-file.json and sd-file-patterns.json. The messages are ours; acceptance and labels are not.
@Suite struct FileFormatTests {
    struct Vector: Decodable, CustomTestStringConvertible {
        var name: String
        var file: String
        var content: String
        var expected: Expectation
        var testDescription: String { name }

        private enum CodingKeys: String, CodingKey {
            case name, file, content
            case expected = "expected_3_14"
        }
    }

    struct Pattern: Decodable, CustomTestStringConvertible {
        var pattern: String
        var accepted: Bool
        var testDescription: String { pattern }
    }

    @Test("A file is taken or refused as a whole", arguments: Fixture.vectors("sd-file", as: Vector.self))
    func vector(_ vector: Vector) throws {
        let table = LabelTable()
        var reader = GroupDocumentReader(name: vector.file, originLabel: "__meta_filepath")
        let format: GroupDocumentReader.Format = vector.file.hasSuffix(".json") ? .json : .yaml
        if vector.expected.error != nil {
            #expect(throws: GroupSyntaxError.self) { try reader.read(vector.content, format, table: table) }
            #expect(reader.targetCount == 0)
        } else {
            let change = try reader.read(vector.content, format, table: table)
            #expect(change.targetTexts(table) == vector.expected.targets)
            #expect(reader.targetCount == vector.expected.targets?.count)
        }
    }

    @Test("Paths that may be named", arguments: Fixture.vectors("sd-file-patterns", as: Pattern.self))
    func pattern(_ vector: Pattern) { #expect(FilePattern(vector.pattern).isAccepted == vector.accepted) }

    @Test(
        "A message names the place",
        arguments: [
            ("[{\"targets\":[1]}]", "line 1, column 14: a target must be a string, not a number"),
            ("[\n {\"target\":[]}\n]", "line 2, column 3: unknown member \"target\" in a target group"),
            ("[{}] x", "line 1, column 6: nothing may follow the list of target groups, but here is “x”"),
            ("", "line 1, column 1: the document is empty; a list of target groups is expected"),
            ("[null]", "line 1, column 6: nil target group item found"),
            ("[{\"labels\":{\"a\":\"b}}]", "line 1, column 17: this string has no end"),
            ("[{\"targets\":[\"a\\x\"]}]", "line 1, column 16: unknown escape in a string"),
            ("[{\"targets\":[\"a\"}]]", "line 1, column 17: “,” or “]” is expected after a target, not “}”"),
            ("[{},]", "line 1, column 5: a target group is expected, not “]”"),
        ])
    func message(text: String, expected: String) {
        var reader = GroupDocumentReader(name: "a.json", originLabel: "__meta_filepath")
        let error = #expect(throws: GroupSyntaxError.self) { try reader.read(text, .json, table: LabelTable()) }
        #expect(error?.description == expected)
    }

    @Test("Text is mended as Go mends it")
    func text() throws {
        let table = LabelTable()
        var reader = GroupDocumentReader(name: "f", originLabel: "o")
        let bytes =
            Array(#"[{"targets":["é\u00e9\ud83d\ude00\ud800x\/\n","#.utf8) + [0x22, 0xFF, 0xC3, 0x22]
            + Array(#"],"labelſ":{"a\u0062":"","ключ":"𝄞"}}]"#.utf8)
        let change = try bytes.withUnsafeBytes { try reader.read($0, .json, table: table) }
        #expect(
            change.targetTexts(table) == [
                ["__address__": "éé😀\u{FFFD}x/\n", "o": "f", "ключ": "𝄞"],
                ["__address__": "\u{FFFD}\u{FFFD}", "o": "f", "ключ": "𝄞"],
            ])
        #expect(change.groups.group(0, source: "").labels.dictionary(in: table)["ab"] == "")
    }

    @Test("Merged YAML keys give way to a mapping's own")
    func merge() throws {
        let table = LabelTable()
        var reader = GroupDocumentReader(name: "f", originLabel: "o")
        let text = """
            - &base
              targets: [a]
              labels: &labels {x: "1", y: "2"}
            - <<: *base
              labels: {<<: *labels, y: "3"}
            """
        let change = try reader.read(text, .yaml, table: table)
        #expect(
            change.targetTexts(table) == [
                ["__address__": "a", "o": "f", "x": "1", "y": "2"],
                ["__address__": "a", "o": "f", "x": "1", "y": "3"],
            ])
    }
}
