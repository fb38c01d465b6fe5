import AllocatorAPI
import Testing

@testable import TargetLedger

/// Goal: the same rows read well for people and exactly for programs.
@Suite struct ReportTests {
    private let report = Report(
        columns: [
            Column(key: "job", title: "JOB"), Column(key: "partition", title: "PARTITION"),
            Column(key: "to", title: "TO"),
            Column(key: "detail"),
        ],
        rows: [
            [.text("a, \"b\""), .number(7), .none, .boolean(true)],
            [.text("line\nbreak\u{1B}[31m"), .none, .text("é"), .none],
        ])

    @Test("A table is aligned, numbers to the right, and steers no terminal")
    func table() {
        #expect(
            report.table(inColour: false) == """
                JOB              PARTITION  TO
                a, "b"                   7  -
                line\u{FFFD}break\u{FFFD}[31m          -  é

                """)
        #expect(report.table(inColour: true).hasPrefix("\u{1B}[1mJOB "))
    }

    @Test("JSON is an array of objects whose nothing is null")
    func json() {
        #expect(
            String(decoding: report.json(), as: UTF8.self) == """
                [
                  {"job":"a, \\"b\\"","partition":7,"to":null,"detail":true},
                  {"job":"line\\nbreak\\u001b[31m","partition":null,"to":"é","detail":null}
                ]

                """)
        #expect(String(decoding: Report(columns: []).json(), as: UTF8.self) == "[]\n")
    }

    @Test("CSV quotes what needs it")
    func csv() {
        #expect(
            report.csv() == "job,partition,to,detail\r\n\"a, \"\"b\"\"\",7,,true\r\n\"line\nbreak\u{1B}[31m\",,é,\r\n")
    }

    @Test("Batches read like one list", arguments: [OutputFormat.json, .ndjson, .csv])
    func batches(format: OutputFormat) {
        var encoder = RowEncoder(report.columns, as: format)
        let bytes = report.rows.reduce(into: []) { $0 += encoder.encode([$1]) } + encoder.finish()
        #expect(bytes == report.bytes(as: format))
    }

    @Test("Later batches of a table stand under the first, wider where they must")
    func tableBatches() {
        let columns = [Column(key: "a", title: "A"), Column(key: nil, title: "B"), Column(key: "c")]
        var encoder = RowEncoder(columns, as: .table)
        let rows: [[Cell]] = [[.text("one"), .number(1), .none], [.text("three"), .number(22), .none]]
        let text = String(decoding: rows.flatMap { encoder.encode([$0]) } + encoder.finish(), as: UTF8.self)
        #expect(text == "A    B\none  1\nthree  22\n")
        #expect(Report(columns: columns, rows: rows).csv() == "a,c\r\none,\r\nthree,\r\n")
    }

    @Test("What has parts is JSON for programs and short for people")
    func parts() {
        let parts = Report(
            columns: [Column(key: "labels", title: "LABELS"), Column(key: "codes", title: "CODES")],
            rows: [
                [.object([.init(key: "a", cell: .text("x")), .init(key: "b", cell: .decimal(1.5))]), .list([])],
                [.none, .list([.text("moved"), .number(2)])],
            ])
        #expect(
            parts.csv() == "labels,codes\r\n\"{\"\"a\"\":\"\"x\"\",\"\"b\"\":1.5}\",[]\r\n,\"[\"\"moved\"\",2]\"\r\n")
        #expect(parts.table(inColour: false) == "LABELS     CODES\na=x b=1.5  -\n-          moved, 2\n")
        #expect(parts.facts(inColour: false) == "LABELS  a=x b=1.5\nCODES   -\n\nCODES   moved, 2\n")
    }

    @Test("Colour says what kind of value it is, and moves no column")
    func colour() {
        let tinted = Report(
            columns: [Column(key: "a", title: "A", tint: { _ in .red }), Column(key: "b", title: "B")],
            rows: [[.text("x"), .text("y")], [.text("long"), .text("z")]])
        #expect(
            tinted.table(inColour: true)
                == "\u{1B}[1mA     B\u{1B}[0m\n\u{1B}[31mx\u{1B}[0m     y\n\u{1B}[31mlong\u{1B}[0m  z\n")
    }

    @Test("Markdown keeps a name from becoming markup")
    func markdown() {
        let rows = Report(
            columns: [Column(key: "a", title: "NAME"), Column(key: "n", title: "TARGETS")],
            rows: [[.text("a|b_c"), .number(3)]])
        #expect(rows.markdown() == "| name | targets |\n| --- | ---: |\n| a\\|b\\_c | 3 |\n")
    }

    @Test("A bar fills as work goes on")
    func progress() {
        #expect(ProgressBar.line("verify", done: 0, of: 10).hasSuffix("0 % (0 of 10)"))
        #expect(ProgressBar.line("verify", done: 5, of: 10).contains("[###############...............] 50 %"))
        #expect(ProgressBar.line("verify", done: 12, of: 10).contains("] 100 %"))
    }
}
