//
// QueryComponentTests.swift
//

import AllocatorAPI
import Testing

/// Goal: every job name survives the way into a link and back.
@Suite struct QueryComponentTests {
    private static func decoded(_ text: String) throws -> String {
        try Array(text.utf8).withUnsafeBytes { try QueryComponent.decoded($0) }
    }

    @Test(arguments: [
        ("job1", "job1"), ("serviceMonitor/ns/app/0", "serviceMonitor%2Fns%2Fapp%2F0"), ("a b", "a+b"),
        ("a+b", "a%2Bb"), ("100%", "100%25"), ("a%2Fb", "a%252Fb"), ("ü", "%C3%BC"), ("-_.~", "-_.~"),
        ("?#&=;:,@$'\"[]", "%3F%23%26%3D%3B%3A%2C%40%24%27%22%5B%5D"), ("", ""),
    ])
    func roundTrip(name: String, encoded: String) throws {
        #expect(QueryComponent.encoded(name) == encoded)
        #expect(try Self.decoded(encoded) == name)
    }

    @Test func decodesWhatOthersLeaveAlone() throws {
        #expect(try Self.decoded("a/b%2fc") == "a/b/c")
    }

    @Test(arguments: [
        ("%", QueryComponent.DecodingError.badEscape("%")), ("a%2", .badEscape("%2")), ("%zz", .badEscape("%zz")),
        ("%+1", .badEscape("%+1")), ("%-1", .badEscape("%-1")), ("%FF", .notUTF8),
    ])
    func refuses(encoded: String, error: QueryComponent.DecodingError) {
        #expect(throws: error) { try Self.decoded(encoded) }
    }
}
