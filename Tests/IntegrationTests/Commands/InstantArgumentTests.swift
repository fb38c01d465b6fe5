import AllocationLedger
import PostgresDriver
import Testing

@testable import TargetLedger

/// Goal: people write moments as they think of them, and a moment that is none is refused.
@Suite struct InstantArgumentTests {
    private let now = Timestamp(microsecondsSince1970: 1_800_000_000_000_000)

    @Test(
        "Moments",
        arguments: [
            ("2h", "2027-01-15T06:00:00Z"), ("90d", "2026-10-17T08:00:00Z"), ("0", "2027-01-15T08:00:00Z"),
            ("2026-11-20T03:12:00Z", "2026-11-20T03:12:00Z"), ("2026-11-20T03:12:00.5+01:00", "2026-11-20T02:12:00.5Z"),
            ("2026-11-20 03:12", "2026-11-20T03:12:00Z"), ("2026-11-20 03:12:07", "2026-11-20T03:12:07Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z"),
        ])
    func accepted(text: String, expected: String) throws {
        let argument = try #require(InstantArgument(argument: text))
        guard case .time(let time) = argument.instant(now: now) else { return #expect(Bool(false), "no time") }
        #expect(time.description == expected)
    }

    @Test("A number is a revision", arguments: [("1", 1), ("2026", 2026), ("9223372036854775807", Int64.max)])
    func revision(text: String, number: Int64) {
        #expect(InstantArgument(argument: text)?.instant(now: now) == .revision(Revision(number)))
    }

    @Test("No moments", arguments: ["", "yesterday", "2h ago", "-2h", "2026-13-01", "2026-02-30", "25:00"])
    func refused(text: String) {
        #expect(InstantArgument(argument: text) == nil)
    }
}
