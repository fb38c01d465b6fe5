import AllocatorRuntime
import Testing

@Suite struct ListenAddressTests {
    @Test(
        "Host and port",
        arguments: [
            (":8080", nil, 8080), ("localhost:0", "localhost", 0), ("10.0.0.1:65535", "10.0.0.1", 65535),
            ("[::1]:8080", "::1", 8080), ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        ] as [(String, String?, Int)])
    func accepted(text: String, host: String?, port: Int) throws {
        let address = try #require(ListenAddress(text))
        #expect(address.host == host)
        #expect(address.port == port)
        #expect(address.description == text)
    }

    @Test(
        "What is no address",
        arguments: ["", "8080", ":65536", ":-1", "::1:8080", "localhost:", "http://x:80", "[]:80", "[x]:80"])
    func refused(text: String) {
        #expect(ListenAddress(text) == nil)
    }
}
