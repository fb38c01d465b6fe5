import AllocationCore
import HTTPTransport
import Testing

@testable import Discovery

/// Goal: answers of a server mean what they mean to Prometheus.
///
/// Method: every vector of sd-http.json, but for the redirect, which needs a server: HTTPDiscoveryTests has it.
@Suite struct HTTPAnswerTests {
    struct Vector: Decodable, CustomTestStringConvertible {
        var name: String
        var url: String
        var status: Int
        var contentType: String?
        var body: String
        var expected: Expectation
        var testDescription: String { name }

        private enum CodingKeys: String, CodingKey {
            case name, url, status, body
            case contentType = "content_type"
            case expected = "expected_3_14"
        }
    }

    static let vectors = Fixture.vectors("sd-http", as: Vector.self).filter { $0.status != 302 }

    @Test("An answer is taken or refused as a whole", arguments: vectors)
    func vector(_ vector: Vector) throws {
        let table = LabelTable()
        func read() throws -> DocumentChange {
            let fields = HTTPFields(vector.contentType.map { [.init("content-type", $0)] } ?? [])
            try HTTPAnswer.check(
                HTTPHead(status: vector.status, reason: Self.reasons[vector.status] ?? "", fields: fields))
            var reader = GroupDocumentReader(name: vector.url, originLabel: "__meta_url")
            return try reader.read(vector.body, .json, table: table)
        }
        guard let expected = vector.expected.error else {
            #expect(try read().targetTexts(table) == vector.expected.targets)
            return
        }
        let error = #expect(throws: (any Error).self) { try read() }
        // Go's own words for JSON that does not fit are not ours.
        if error is HTTPAnswerError { #expect("\(try #require(error))" == expected) }
    }

    static let reasons = [200: "OK", 201: "Created", 204: "No Content", 500: "Internal Server Error"]

    @Test(
        "The interval is told in seconds",
        arguments: [(60_000, "60"), (90_500, "90.5"), (1_250, "1.25"), (5, "0.005"), (600_000, "600")])
    func seconds(milliseconds: Int, expected: String) {
        #expect(HTTPDiscoverer.seconds(.milliseconds(milliseconds)) == expected)
    }
}
