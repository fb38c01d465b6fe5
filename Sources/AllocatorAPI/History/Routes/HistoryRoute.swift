//
// HistoryRoute.swift: one route of the history API: what it takes, what it answers, and how.
//

import AllocationLedger
import HummingbirdCore
import NIOCore
import PostgresDriver

/// What is sent.
enum HistoryAnswer: Sendable {
    /// - Parameter next: The cursor of the page behind this one.
    case json(ByteBuffer, next: String? = nil)
    /// Written piece by piece; the closure ends when the body does.
    case stream(contentType: String, @Sendable (inout any ResponseBodyWriter) async throws -> Void)
    case text(contentType: String, String)
    case page(Page)
}

/// What routes answer from.
struct HistorySource: Sendable {
    let reader: HistoryReader
    /// For one read, getting a session included.
    let timeout: Duration
    var proofs = LogProofs()

    func read<T: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> T
    ) async throws -> T {
        try await reader.read(deadline: .now + timeout, body)
    }
}

/// A route under `/api/v1`.
struct HistoryRoute: Sendable {
    /// With parameters in braces.
    let path: String
    let summary: String
    let parameters: [HistoryParameter]
    /// What it answers: content types with their schemas.
    var contents: [(type: String, schema: Schema)]
    let components: [String: SchemaComponent]
    let respond: @Sendable (HistoryQuestion, HistorySource) async throws -> HistoryAnswer
    /// The same in other forms than JSON, for whoever would rather have their content types.
    var others: [(type: String, respond: @Sendable (HistoryQuestion, HistorySource) async throws -> HistoryAnswer)] = []

    /// A route that answers one object.
    static func one<Value: Sendable>(
        _ path: String, _ summary: String, _ parameters: [HistoryParameter], _ shape: JSONShape<Value>,
        _ read: @escaping @Sendable (HistoryQuestion, isolated PostgresConnection) async throws -> Value
    ) -> HistoryRoute {
        HistoryRoute(
            path: path, summary: summary, parameters: parameters,
            contents: [("application/json", shape.reference)], components: shape.components
        ) { question, source in
            let value = try await source.read { connection in try await read(question, connection) }
            var json = JSONWriter()
            shape.write(value, to: &json)
            json.newline()
            return .json(json.buffer)
        }
    }

    /// A route that answers a page of a list.
    static func page<Item: Sendable, Cursor: HistoryCursor>(
        _ path: String, _ summary: String, _ parameters: [HistoryParameter], _ shape: JSONShape<Item>,
        _ read:
            @escaping @Sendable (HistoryQuestion, isolated PostgresConnection) async throws
            -> HistoryPage<Item, Cursor>
    ) -> HistoryRoute {
        let page = JSONShape<HistoryPage<Item, Cursor>>(
            "\(shape.name)Page", "A page of a list.",
            [
                .objects("items", "In the order of the list.", shape) { $0.items },
                .optionalText("next", "Cursor of the next page; null: the list ends here.") { $0.next?.text },
            ])
        return HistoryRoute(
            path: path, summary: summary, parameters: parameters + HistoryParameter.page,
            contents: [("application/json", page.reference)], components: page.components
        ) { question, source in
            let value = try await source.read { connection in try await read(question, connection) }
            var json = JSONWriter()
            page.write(value, to: &json)
            json.newline()
            return .json(json.buffer, next: value.next?.text)
        }
    }

    /// This route, which also answers in another form.
    ///
    /// - Parameter type: Its content type, as requests accept it.
    func also(
        _ type: String,
        _ make: @escaping @Sendable (HistoryQuestion, isolated PostgresConnection) async throws -> HistoryAnswer
    ) -> HistoryRoute {
        var route = self
        route.others.append((type, { question, source in try await source.read { try await make(question, $0) } }))
        route.contents.append((type, .text()))
        return route
    }

    /// The values of the path's parameters; nil when this route is not meant.
    ///
    /// - Parameter segments: Decoded.
    func match(_ segments: [String]) -> [String: String]? {
        let wanted = path.split(separator: "/")
        guard wanted.count == segments.count else { return nil }
        var values: [String: String] = [:]
        for (part, segment) in zip(wanted, segments) {
            if part.hasPrefix("{") {
                values[String(part.dropFirst().dropLast())] = segment
            } else if part != segment {
                return nil
            }
        }
        return values
    }
}
