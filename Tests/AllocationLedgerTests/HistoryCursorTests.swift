//
// HistoryCursorTests.swift: cursors and instants survive as texts, and nothing else is taken for one.
//

import PostgresDriver
import Testing

@testable import AllocationLedger

/// Goal: a cursor handed out by one process is the same place in another, and a made-up one is refused.
@Suite struct HistoryCursorTests {
    @Test("A cursor reads as what it was")
    func roundTrip() {
        let event = EventCursor(revision: .max, ordinal: 7)
        #expect(EventCursor(text: event.text) == event)
        let revision = RevisionCursor(revision: 12)
        #expect(RevisionCursor(text: revision.text) == revision)
        let target = TargetCursor(revisions: [3, 9], target: 5)
        #expect(TargetCursor(text: target.text) == target)
        let instant = InstantCursor(at: Timestamp(microsecondsSince1970: -5), skipping: 2)
        #expect(InstantCursor(text: instant.text) == instant)
    }

    @Test(
        "What no list handed out is no cursor",
        arguments: ["", "e", "e1", "e1.2.3", "r1.2", "e1.4294967296", "e01.2", "e+1.2", "e1. 2", "x1.2", "e1.2;"])
    func refusal(text: String) {
        #expect(EventCursor(text: text) == nil)
    }

    @Test("The place behind equal instants counts them, over pages too")
    func equalInstants() {
        let (a, b) = (Timestamp(microsecondsSince1970: 2), Timestamp(microsecondsSince1970: 1))
        let first = InstantCursor.behind([a, b, b], after: nil)
        #expect(first == InstantCursor(at: b, skipping: 2))
        #expect(InstantCursor.behind([b, b], after: first) == InstantCursor(at: b, skipping: 4))
        #expect(InstantCursor.behind([a], after: first) == InstantCursor(at: a, skipping: 1))
        #expect(InstantCursor.behind([], after: first) == nil)
    }

    @Test("A moment is a revision's number or a time with a zone")
    func instants() {
        #expect(Instant("12") == .revision(Revision(12)))
        #expect(Instant("1970-01-01T00:00:01Z") == .time(Timestamp(microsecondsSince1970: 1_000_000)))
        for text in ["", "-1", "+1", "99999999999999999999", "1970-01-01", "1970-01-01T00:00:01", "now"] {
            #expect(Instant(text) == nil, "\(text)")
        }
    }
}
