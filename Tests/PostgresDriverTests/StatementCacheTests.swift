//
// StatementCacheTests.swift
//

import Testing

@testable import PostgresDriver

/// Goal: a statement is prepared when it comes again, and the least recently used one gives way.
@Suite struct StatementCacheTests {
    private func key(_ text: String) -> StatementCache.Key { StatementCache.Key(SQL(unsafeSQL: text)) }

    @Test("The second use prepares, the third uses that")
    func secondUse() {
        var cache = StatementCache()
        #expect(cache.use(key("a")) == .unprepared)
        #expect(cache.use(key("a")) == .prepare(name: "s1"))
        #expect(cache.use(key("a")) == .prepared(name: "s1"))
        #expect(cache.use(key("b")) == .unprepared)
    }

    @Test("The same text with binds of other types is another statement")
    func types() {
        var cache = StatementCache()
        #expect(cache.use(.init("SELECT \(Int32(1))")) == .unprepared)
        #expect(cache.use(.init("SELECT \(Int64(1))")) == .unprepared)
        #expect(cache.use(.init("SELECT \(Int32(2))")) == .prepare(name: "s1"))
    }

    @Test("The least recently used statement gives way, and is deallocated once")
    func eviction() {
        var cache = StatementCache(capacity: 2)
        for _ in 0..<2 { _ = cache.use(key("a")) }
        _ = cache.use(key("b"))
        _ = cache.use(key("a"))
        _ = cache.use(key("c"))
        #expect(cache.takeEvicted() == [])
        #expect(cache.use(key("a")) == .prepared(name: "s1"))
        #expect(cache.use(key("b")) == .unprepared)
        #expect(cache.use(key("d")) == .unprepared)
        #expect(cache.takeEvicted() == ["s1"])
        #expect(cache.takeEvicted() == [])
    }

    @Test("A statement that could not be prepared is not deallocated, one that was is")
    func forgetting() {
        var cache = StatementCache()
        for _ in 0..<2 { _ = cache.use(key("a")) }
        cache.forgetRefused(key("a"))
        #expect(cache.takeEvicted() == [])
        #expect(cache.use(key("a")) == .unprepared)
        #expect(cache.use(key("a")) == .prepare(name: "s2"))
        cache.forget(key("a"))
        #expect(cache.takeEvicted() == ["s2"])
    }
}
