import Testing

@testable import Discovery

/// Goal: answers are read within their bounds, and questions are what servers expect.
@Suite struct DNSMessageTests {
    /// An answer to `_c._tcp.x.` with two SRV records, the second one's names through pointers.
    static let answer: [UInt8] =
        [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0]
        + [2, 0x5F, 0x63, 4, 0x5F, 0x74, 0x63, 0x70, 1, 0x78, 0, 0, 33, 0, 1]
        + [0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 5, 0, 10, 0, 0, 0, 0, 0x1F, 0x90, 1, 0x61, 0xC0, 20]
        + [0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 5, 0, 10, 0, 0, 0, 0, 0x1F, 0x90, 1, 0x62, 0xC0, 20]

    @Test("SRV records with compressed names")
    func srv() throws {
        let answer = try DNSMessage.answer(Self.answer)
        #expect(answer.id == 0x1234)
        #expect(answer.code == DNSAnswer.noError)
        #expect(answer.records.map(\.name) == ["_c._tcp.x.", "_c._tcp.x."])
        #expect(
            answer.records.map(\.data) == [.srv(target: "a.x.", port: 8080), .srv(target: "b.x.", port: 8080)])
    }

    @Test("Every answer that is cut off is refused", arguments: 0..<answer.count)
    func cut(count: Int) {
        #expect(throws: DNSError.malformedAnswer) { try DNSMessage.answer(Array(Self.answer[..<count])) }
    }

    @Test("A name that points at itself is refused")
    func loop() {
        var bytes = Self.answer
        bytes[12] = 0xC0
        bytes[13] = 12
        #expect(throws: DNSError.malformedAnswer) { try DNSMessage.answer(bytes) }
    }

    @Test("Bytes made up at random never do harm")
    func random() {
        for _ in 0..<2000 {
            var bytes = Self.answer
            for _ in 0..<Int.random(in: 1...8) { bytes[Int.random(in: 2..<bytes.count)] = .random(in: .min ... .max) }
            _ = try? DNSMessage.answer(bytes)
        }
    }

    @Test("A question")
    func question() throws {
        let bytes = try DNSMessage.question(id: 0xABCD, name: "a.bc.", type: .srv, offersLargeDatagrams: true)
        #expect(
            bytes == [0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0x61, 2, 0x62, 0x63, 0, 0, 33, 0, 1]
                + [0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0])
        #expect(throws: DNSError.self) {
            try DNSMessage.question(
                id: 1, name: String(repeating: "a", count: 64), type: .a, offersLargeDatagrams: false)
        }
    }

    @Test("Which names are asked for")
    func candidates() {
        let configuration = ResolverConfiguration(
            parsing:
                "# made\nnameserver 10.0.0.1\nnameserver ::1 ; second\nsearch ns.svc svc.\noptions ndots:2 timeout:1\n")
        #expect(configuration.servers == ["10.0.0.1", "::1"])
        #expect(configuration.candidates("a.") == ["a."])
        #expect(configuration.candidates("a.b") == ["a.b.ns.svc.", "a.b.svc.", "a.b."])
        #expect(configuration.candidates("a.b.c") == ["a.b.c.", "a.b.c.ns.svc.", "a.b.c.svc."])
    }
}
