//
// ListenAddressTests.swift
//

import AllocatorAPI
import AllocatorRuntime
import Testing

@Suite struct ListenAddressTests {
    @Test(
        arguments: [
            (":8080", nil, 8080), ("127.0.0.1:8080", "127.0.0.1", 8080), ("[::1]:0", "::1", 0), ("[::]:1", "::", 1),
            ("localhost:65535", "localhost", 65535),
        ] as [(String, String?, Int)])
    func reads(text: String, host: String?, port: Int) throws {
        let address = try ListenAddress(parsing: text)
        #expect(address.host == host && address.port == port)
        #expect(address.description == text)
    }

    @Test(arguments: ["", "8080", ":", ":65536", ":-1", "::1:80", "[::1:80", "host:http", "host"])
    func refuses(text: String) {
        #expect(throws: ListenError.malformed(text)) { try ListenAddress(parsing: text) }
    }
}
