//
// StandardRequestTests.swift
//

import AllocatorAPI
import Testing

@Suite struct StandardRequestTests {
    @Test(arguments: [
        ("gzip", true), ("gzip, deflate, br", true), ("GZIP;q=0.5", true), ("gzip;q=0", false),
        ("gzip; q=0.000, *", false), ("deflate", false), ("*", true), ("*;q=0", false), ("identity, *;q=0.1", true),
        ("", false), ("notgzip", false),
    ])
    func gzipIsNegotiated(value: String, isAccepted: Bool) {
        var request = StandardRequest("/")
        Array(value.utf8).withUnsafeBytes { request.add(acceptEncoding: $0) }
        #expect(request.acceptsGzip == isAccepted)
    }

    @Test(arguments: [
        ("text/html", true), ("text/html,application/xhtml+xml;q=0.9", true), ("Text/HTML", true),
        ("application/json", false), ("*/*", false),
    ])
    func htmlIsAskedForByName(value: String, isAccepted: Bool) {
        var request = StandardRequest("/")
        Array(value.utf8).withUnsafeBytes { request.add(accept: $0) }
        #expect(request.acceptsHTML == isAccepted)
    }

    @Test(arguments: [
        ("\"00000000000000ab\"", true), ("W/\"00000000000000ab\"", true), ("\"x\", \"00000000000000ab\" ,\"y\"", true),
        ("*", true), ("\"00000000000000ac\"", false), ("00000000000000ab", false), ("", false),
    ])
    func entityTagsAreComparedWeakly(value: String, isNamed: Bool) {
        #expect(EntityTag(hash: 0xAB).isNamed(by: value) == isNamed)
    }
}
