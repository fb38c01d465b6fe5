import PostgresDriver
import Testing

@testable import AllocatorAPI

/// Goal: numbers, durations and moments read as people write them and mean what they say.
///
/// Method: tables of inputs and outputs.
@Suite struct TextTests {
    @Test(
        "Durations are told by their two largest units",
        arguments: [
            (0, "0 s"), (0.25, "0.25 s"), (1.5, "1.50 s"), (59.999, "60 s"), (60, "1 min"), (200, "3 min 20 s"),
            (7200, "2 h"), (187_200, "2 d 4 h"), (-1, "–"), (.infinity, "–"),
        ])
    func durations(seconds: Double, text: String) { #expect(TimeText.duration(seconds: seconds) == text) }

    @Test func numbersAreGrouped() {
        #expect(
            [0, 999, 1000, 1_234_567, -4321].map { NumberText.grouped($0) } == [
                "0", "999", "1\u{202F}000", "1\u{202F}234\u{202F}567", "−4\u{202F}321",
            ])
        #expect(NumberText.counted(1, "target") == "1 target")
        #expect(NumberText.counted(2, "target was", "targets were") == "2 targets were")
    }

    @Test(
        "Moments are made the time that they mean; what is none stays to be refused",
        arguments: [
            ("2h", "2026-11-20T01:12:00Z"), ("90s", "2026-11-20T03:10:30Z"), ("2026-11-19", "2026-11-19T00:00:00Z"),
            ("2026-11-20 03:12", "2026-11-20T03:12:00Z"), ("2026-11-20T03:12:00+01:00", "2026-11-20T02:12:00Z"),
            ("42", "42"), ("yesterday", "yesterday"),
        ])
    func moments(text: String, meant: String) throws {
        let now = try #require(Timestamp(rfc3339: "2026-11-20T03:12:00Z"))
        #expect(InstantText.normalised(text, now: now) == meant)
    }

    @Test("Empty fields of a form are not asked, links keep the rest of the question")
    func questions() throws {
        let now = try #require(Timestamp(rfc3339: "2026-11-20T03:12:00Z"))
        let asked = try PageQuestion(
            "/history/moves", HistoryParameter.window + [.job, .cursor], query: "since=2h&until=&job=a%2Fb&cursor=e1.2",
            now: now)
        #expect(asked.value("since") == "2026-11-20T01:12:00Z" && asked.value("until").isEmpty)
        #expect(
            asked.link("cursor", nil).target
                == "/history/moves?since=2026-11-20T01%3A12%3A00Z&job=a%2Fb")
        #expect(throws: ProblemDetails.self) {
            try PageQuestion("/history/moves", [.job], query: "jbo=1", now: now)
        }
        #expect(throws: ProblemDetails.self) { try PageQuestion("/history/moves", [.job], query: "job=%f", now: now) }
    }

    @Test("After signing in a browser goes on to a page of the history, and nowhere else")
    func nextPage() {
        #expect(SignIn.safe("/history/job?name=a%2Fb") == "/history/job?name=a%2Fb")
        #expect(SignIn.safe("/history") == "/history" && SignIn.safe("/history?x") == "/history?x")
        for path in [
            "", "//evil.example", "https://evil.example", "/historyx", "/history/\r\nSet-Cookie: a", "/history/\\x",
        ] {
            #expect(SignIn.safe(path) == "/history")
        }
    }

    @Test(
        "The other listener is reached by the name that this one was",
        arguments: [
            ("ledger.example:8080", "ledger.example"), ("[::1]:8080", "[::1]"), ("10.0.0.1", "10.0.0.1"),
            ("evil/\r\n", nil), ("", nil), ("[x]", nil), (":8080", nil),
        ] as [(String, String?)])
    func hosts(authority: String, host: String?) { #expect(HistoryElsewhere.host(authority) == host) }
}
