//
// TimestampTests.swift
//

import Testing

@testable import PostgresDriver

/// Goal: instants print and parse as RFC 3339 and cross PostgreSQL's epoch unharmed.
///
/// Method: known pairs, each read in both directions; the edges of leap years and of 1970.
@Suite struct TimestampTests {
    @Test(
        "An instant is its RFC 3339 text, in both directions",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59.999999Z"), (1_500_000, "1970-01-01T00:00:01.5Z"),
            (946_684_800_000_000, "2000-01-01T00:00:00Z"), (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (1_709_164_800_000_000, "2024-02-29T00:00:00Z"), (4_107_542_399_000_000, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00Z"), (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
            (1_700_000_000_000_010, "2023-11-14T22:13:20.00001Z"),
        ] as [(Int64, String)]
    )
    func text(microseconds: Int64, text: String) {
        #expect(Timestamp(microsecondsSince1970: microseconds).description == text)
        #expect(Timestamp(rfc3339: text)?.microsecondsSince1970 == microseconds)
    }

    @Test(
        "A zone moves the instant, digits beyond the microsecond are cut off",
        arguments: [
            ("2024-01-01T01:30:00+01:30", "2024-01-01T00:00:00Z"),
            ("2023-12-31t19:00:00-05:00", "2024-01-01T00:00:00Z"),
            ("2024-01-01 00:00:00.1234569z", "2024-01-01T00:00:00.123456Z"),
        ]
    )
    func zones(text: String, inUTC: String) {
        #expect(Timestamp(rfc3339: text)?.description == inUTC)
    }

    @Test(
        "What is no instant is refused",
        arguments: [
            "", "2024-01-01", "2024-01-01T00:00:00", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z", "2024-01-00T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00Zx", "2024-01-01T00:00:00+1:00", "２024-01-01T00:00:00Z",
        ]
    )
    func refused(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test("PostgreSQL counts from 2000, and its infinities stay infinite")
    func epoch() {
        #expect(Timestamp(microsecondsSince1970: 946_684_800_000_001).postgresMicroseconds == 1)
        #expect(Timestamp(postgresMicroseconds: -1).description == "1999-12-31T23:59:59.999999Z")
        for infinite in [Timestamp.distantPast, .distantFuture] {
            #expect(Timestamp(postgresMicroseconds: infinite.postgresMicroseconds) == infinite)
        }
        #expect(Timestamp.distantPast < .now() && Timestamp.now() < .distantFuture)
    }

    @Test("Durations add and subtract")
    func durations() {
        let start = Timestamp(microsecondsSince1970: 10)
        let later = start.advanced(by: .milliseconds(1500))
        #expect(later.microsecondsSince1970 == 1_500_010)
        #expect(later.since(start) == .milliseconds(1500))
        #expect(start.since(later) == .milliseconds(-1500))
    }
}
