//
// OperatorQueries.swift: the rows of requests.
//

import PostgresDriver

package enum OperatorQueries {
    /// Tells that there is a request; the payload is its id.
    package static let requestChannel = "target_ledger_operator"
    /// Tells that one is done.
    package static let outcomeChannel = "target_ledger_operator_done"

    static func ask(
        _ operation: OperatorOperation, by who: String, _ connection: PostgresConnection
    ) async throws -> UUID128 {
        let id = UUID128.random()
        _ = try await connection.pipeline([
            """
            INSERT INTO ledger.operator_request (id, kind, parameters, asked_by) \
            VALUES (\(id), \(operation.kind), \(parameters(of: operation)), \(StorableText.mended(who)))
            """,
            "SELECT pg_notify(\(requestChannel), \(id.description))",
        ])
        return id
    }

    private static func parameters(of operation: OperatorOperation) -> SQL {
        switch operation {
        case .seal: return "'{}'::jsonb"
        case .drop(let before, let exports):
            let days = exports.keys.sorted()
            return """
                jsonb_build_object('before', \(before.description)::text, 'exports', \
                jsonb_object(\(days.map(\.description)), \(days.compactMap { exports[$0]?.description })))
                """
        case .hold(let from, let to, let reason):
            return """
                jsonb_build_object('from', \(from.description)::text, 'to', \(to.description)::text, \
                'reason', \(StorableText.mended(reason))::text)
                """
        case .state(let gap):
            return """
                jsonb_build_object('from', \(gap.from.description)::text, 'to', \(gap.to.description)::text, \
                'cause', \(gap.cause)::text, 'reason', \(StorableText.mended(gap.detail))::text)
                """
        case .release(let hold, let reason):
            return "jsonb_build_object('hold', \(hold)::bigint, 'reason', \(StorableText.mended(reason))::text)"
        }
    }

    private static let columns: SQL = """
        id, kind, asked_by, taken_epoch, done_at IS NOT NULL, succeeded, outcome, parameters->>'before', \
        ARRAY(SELECT key FROM jsonb_each_text(coalesce(parameters->'exports', '{}')) ORDER BY key), \
        ARRAY(SELECT value FROM jsonb_each_text(coalesce(parameters->'exports', '{}')) ORDER BY key), \
        parameters->>'from', parameters->>'to', (parameters->>'hold')::bigint, parameters->>'reason', \
        parameters->>'cause'
        """

    /// Requests that are not done, oldest first.
    static func open(_ connection: PostgresConnection) async throws -> [OperatorRequest] {
        try await connection.query(
            "SELECT \(columns) FROM ledger.operator_request WHERE done_at IS NULL ORDER BY asked_at, id LIMIT 100"
        ).map { try OperatorRequest($0) }
    }

    package static func find(_ id: UUID128, _ connection: PostgresConnection) async throws -> OperatorRequest? {
        try await connection.query("SELECT \(columns) FROM ledger.operator_request WHERE id = \(id)").first.map {
            try OperatorRequest($0)
        }
    }

    /// - Returns: Whether it is this term's now.
    static func take(
        _ request: OperatorRequest, in epoch: Int64, _ connection: PostgresConnection
    ) async throws -> Bool {
        guard request.state.mayBeTaken(in: epoch) else { return false }
        return try await connection.execute(
            """
            UPDATE ledger.operator_request SET taken_epoch = \(epoch), taken_at = clock_timestamp() \
            WHERE id = \(request.id) AND done_at IS NULL AND coalesce(taken_epoch, 0) <= \(epoch)
            """) == 1
    }

    static func finish(
        _ request: OperatorRequest, _ outcome: OperatorRequest.Outcome, _ connection: PostgresConnection
    ) async throws {
        _ = try await connection.pipeline([
            """
            UPDATE ledger.operator_request SET done_at = clock_timestamp(), succeeded = \(outcome.succeeded), \
            outcome = \(StorableText.mended(outcome.text)) WHERE id = \(request.id) AND done_at IS NULL
            """,
            "SELECT pg_notify(\(outcomeChannel), \(request.id.description))",
        ])
    }
}

extension OperatorRequest {
    /// Reads the columns of OperatorQueries.
    fileprivate init(_ row: PostgresRow) throws {
        func instant(_ column: Int) throws -> Timestamp? {
            try row.decode(column, as: String?.self).flatMap { Timestamp(rfc3339: $0) }
        }
        id = try row.decode(0)
        kind = try row.decode(1)
        askedBy = try row.decode(2)
        let epoch = try row.decode(3, as: Int64?.self)
        if try row.decode(4, as: Bool.self) {
            state = .done(
                Outcome(
                    succeeded: try row.decode(5, as: Bool?.self) ?? false,
                    text: try row.decode(6, as: String?.self) ?? ""))
        } else {
            state = epoch.map { .taken(epoch: $0) } ?? .asked
        }
        let reason = try row.decode(13, as: String?.self) ?? ""
        switch kind {
        case "retention_seal": operation = .seal
        case "retention_drop":
            let days = try row.decode(8, as: [String].self).compactMap { RetentionDay($0) }
            let digests = try row.decode(9, as: [String].self).compactMap { Digest32(hexadecimal: $0) }
            guard let before = try instant(7), days.count == digests.count else { break }
            operation = .drop(before: before, exports: Dictionary(zip(days, digests)) { first, _ in first })
        case "retention_hold":
            if let from = try instant(10), let to = try instant(11) {
                operation = .hold(from: from, to: to, reason: reason)
            }
        case "state_gap":
            if let from = try instant(10), let to = try instant(11),
                let cause = try row.decode(14, as: String?.self).flatMap(Gap.Cause.init(rawValue:))
            {
                operation = .state(Gap(from: from, to: to, cause: cause, detail: reason))
            }
        case "retention_release":
            if let hold = try row.decode(12, as: Int64?.self) { operation = .release(hold: hold, reason: reason) }
        default: break
        }
    }
}

extension Digest32 {
    /// Reads what `description` writes.
    package init?(hexadecimal text: String) {
        let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == 2 * Self.byteCount, text.utf8.count == digits.count else { return nil }
        self.init(stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) })
    }
}
