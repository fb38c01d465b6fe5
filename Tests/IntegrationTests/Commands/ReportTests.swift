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

    @Test("A bar fills as work goes on")
    func progress() {
        #expect(ProgressBar.line("verify", done: 0, of: 10).hasSuffix("0 % (0 of 10)"))
        #expect(ProgressBar.line("verify", done: 5, of: 10).contains("[###############...............] 50 %"))
        #expect(ProgressBar.line("verify", done: 12, of: 10).contains("] 100 %"))
    }
}
