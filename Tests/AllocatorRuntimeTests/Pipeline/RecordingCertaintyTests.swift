import Testing

@testable import AllocatorRuntime

/// Goal: a renewal never states that its holder records while what it decides waits.
///
/// Method: instants made up by the test.
@Suite struct RecordingCertaintyTests {
    private let start = ContinuousClock.now

    @Test("What waits for long takes it away, what is recorded gives it back")
    func waiting() {
        let certainty = RecordingCertainty()
        #expect(certainty.holds(now: start))
        certainty.begins(now: start)
        #expect(certainty.holds(now: start + .milliseconds(900)))
        // The second change waits behind the first, and does not make it younger.
        certainty.begins(now: start + .milliseconds(900))
        #expect(!certainty.holds(now: start + .seconds(1)))
        certainty.ended()
        #expect(certainty.holds(now: start + .seconds(60)))
    }

    @Test("A fault takes it away at once, until all is recorded")
    func fault() {
        let certainty = RecordingCertainty()
        certainty.failed()
        #expect(!certainty.holds(now: start))
        certainty.begins(now: start)
        #expect(!certainty.holds(now: start))
        certainty.ended()
        #expect(certainty.holds(now: start))
    }
}
