import Testing

@testable import AllocatorAPI

/// Goal: a page that is there is answered whole, one that takes its time begins without waiting for its end.
///
/// Method: readings that end at once, with an error, or when the test lets them.
@Suite struct PageReadingTests {
    private struct Refused: Error {}

    private static func page(_ title: String) -> Page { Page(title, .nothing) {} }

    @Test("A page that is there is had, and so is what it was refused for")
    func soon() async throws {
        #expect(try await PageReading { _ in Self.page("a") }.soon()?.title == "a")
        await #expect(throws: Refused.self) { try await PageReading { _ in throw Refused() }.soon() }
    }

    @Test("What may still be refused is waited for")
    func unsettled() async throws {
        let (signal, continuation) = AsyncStream<Void>.makeStream()
        let reading = PageReading { _ in
            for await _ in signal { break }
            throw Refused()
        }
        continuation.yield()
        await #expect(throws: Refused.self) { try await reading.soon(within: .zero) }
    }

    @Test("A page that is settled and not there yet is had later, whole")
    func later() async throws {
        let (signal, continuation) = AsyncStream<Void>.makeStream()
        let reading = PageReading { settle in
            settle()
            for await _ in signal { break }
            return Self.page("b")
        }
        let early = try await reading.soon(within: .zero)
        #expect(early == nil)
        continuation.yield()
        #expect(try await reading.finished().title == "b")
    }

    @Test("Every page begins alike, so the beginning can be sent before it is known")
    func beginning() {
        let beginning = String(decoding: Page.beginning, as: UTF8.self)
        #expect(beginning.hasSuffix("<title>") && beginning.contains("rel=\"stylesheet\""))
        for page in [Self.page("<x>"), SignIn.page(next: "/history", hasFailed: true)] {
            for site in [PageSite(), PageSite(hasStandard: false, hasHistory: false, isSignedIn: true)] {
                #expect(page.html(site).bytes.starts(with: Page.beginning))
            }
        }
    }
}
