import AllocationCore
import Testing

@testable import Discovery

/// Goal: a file of collectors is read in each of its forms, and refused as a whole when a line is wrong.
@Suite struct CollectorFileTests {
    @Test("One name a line")
    func lines() throws {
        let text = "# the fleet\notelcol-0\n\n  otelcol-1  # spare\r\notelcol-2"
        #expect(try CollectorFile.lines(text).map(\.name) == ["otelcol-0", "otelcol-1", "otelcol-2"])
    }

    @Test("A line with two words is no name")
    func twoWords() {
        let error = #expect(throws: CollectorSourceError.self) { try CollectorFile.lines("a\nb c\n") }
        #expect(error?.description == "line 2: one name a line, and no white space in a name")
    }

    @Test(
        "A list of names or of names and nodes",
        arguments: ["[a, {name: b, node: n1}]", "- a\n- name: b\n  node: n1\n", #"["a", {"name": "b", "node": "n1"}]"#])
    func tree(text: String) throws {
        #expect(try CollectorFile.tree(text) == [Collector(name: "a"), Collector(name: "b", nodeName: "n1")])
    }

    @Test(
        "What is no list of collectors",
        arguments: [
            ("{a: b}", "line 1: a list of collectors is expected"), ("- \n", "line 1: a collector must be a name"),
            ("- {node: n}", "line 1: a collector without a name"),
            ("- a\n- {name: b, zone: z}", "line 2: unknown key \"zone\"; a collector has name and node"),
            ("- [a]", "line 1: a name or {name, node} is expected"), ("- a b", "line 1: no white space in a name"),
        ])
    func refused(text: String, expected: String) {
        let error = #expect(throws: CollectorSourceError.self) { try CollectorFile.tree(text) }
        #expect(error?.description == expected)
    }
}

/// Goal: a source that fails or falls silent takes no collector away.
@Suite struct CollectorUnionTests {
    var union = CollectorUnion(sources: ["static", "file f"])

    mutating func take(_ result: Result<[Collector], CollectorSourceError>, _ source: String) -> CollectorSet? {
        union.take(result, from: source)
    }

    func collectors(_ names: String...) -> Result<[Collector], CollectorSourceError> {
        .success(names.map { Collector(name: $0) })
    }

    @Test("The set is synchronised when every source has been read")
    mutating func synchronised() throws {
        let first = try #require(take(collectors("b", "a"), "static"))
        #expect(first.collectors.map(\.name) == ["a", "b"])
        #expect(!first.isSynchronised)
        #expect(first.evidence == "static: 2 collectors; file f: not read yet")
        let second = try #require(take(collectors("a", "c"), "file f"))
        #expect(second.collectors.map(\.name) == ["a", "b", "c"])
        #expect(second.isSynchronised)
    }

    @Test("A failure and an empty list keep what was said before, and say so")
    mutating func kept() throws {
        _ = take(collectors("a"), "static")
        _ = take(collectors("c"), "file f")
        let failed = try #require(take(.failure(CollectorSourceError("gone")), "file f"))
        #expect(failed.collectors.map(\.name) == ["a", "c"])
        #expect(failed.error == "file f: gone")
        #expect(failed.isSynchronised)
        let again = take(.failure(CollectorSourceError("gone")), "file f")
        #expect(again == nil)
        let silent = try #require(take(collectors(), "file f"))
        #expect(silent.error == "file f: names no collector")
        let healed = try #require(take(collectors("d"), "file f"))
        #expect(healed.collectors.map(\.name) == ["a", "d"])
        #expect(healed.error == nil)
    }

    @Test("A source that never could be read leaves the set unsynchronised")
    mutating func neverRead() throws {
        _ = take(collectors("a"), "static")
        let failed = try #require(take(.failure(CollectorSourceError("gone")), "file f"))
        #expect(!failed.isSynchronised)
        let silent = try #require(take(collectors(), "file f"))
        #expect(!silent.isSynchronised)
    }

    @Test("The same set is told once")
    mutating func once() {
        let first = take(collectors("a"), "static")
        let second = take(collectors("a"), "static")
        #expect(first != nil && second == nil)
    }
}

/// Goal: SRV targets become the names that pods have.
@Suite struct CollectorNameTests {
    @Test(
        "First labels, or whole targets where first labels are the same",
        arguments: [
            (["c-0.otel.ns.svc.cluster.local.", "c-1.otel.ns.svc.cluster.local."], ["c-0", "c-1"]),
            (["c-0.otel.a.", "c-0.otel.b.", "d.otel.a."], ["c-0.otel.a", "c-0.otel.b", "d"]),
            (["c-0.otel.a.", "c-0.otel.a."], ["c-0"]), ([], []),
        ])
    func names(targets: [String], expected: [String]) { #expect(CollectorResolver.names(of: targets) == expected) }
}
