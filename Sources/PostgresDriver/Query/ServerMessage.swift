//
// ServerMessage.swift: turns what libpq reports into a PostgresError whose words hold no values.
//

import CLibpq

enum ServerMessage {
    // PG_DIAG_… of postgres_ext.h, which as character constants do not import.
    private enum Field: Unicode.Scalar {
        case sqlState = "C"
        case primaryMessage = "M"
        case hint = "H"
        case severity = "V"
        case constraint = "n"
        case position = "P"
    }

    /// The error of a failed result.
    static func error(of result: OpaquePointer, statement: String?) -> PostgresError {
        let state = field(result, .sqlState).map(SQLState.init(rawValue:))
        let primary = field(result, .primaryMessage) ?? firstLine(of: PQresultErrorMessage(result))
        guard let state else { return PostgresError(.connectionLost, primary) }
        // Not the localised severity: FATAL and PANIC end the session.
        let severity = field(result, .severity)
        let endsSession = severity == "FATAL" || severity == "PANIC"
        var error = PostgresError(
            endsSession ? .connectionLost : .server(state), withoutValues(primary, state), sqlState: state)
        error.constraint = field(result, .constraint)
        if state.errorClass != "22" { error.hint = field(result, .hint) }
        if let statement, let position = field(result, .position).flatMap(Int.init) {
            error.statementLine = 1 + statement.unicodeScalars.prefix(max(0, position - 1)).count { $0 == "\n" }
        }
        return error
    }

    /// The primary message, or for a data exception, whose message quotes the value, the condition's name.
    static func withoutValues(_ primary: String, _ state: SQLState) -> String {
        state.errorClass == "22" ? dataExceptions[state.rawValue] ?? "data exception" : primary
    }

    /// The first line of a message of libpq.
    static func firstLine(of message: UnsafePointer<CChar>?) -> String {
        guard let message else { return "no message" }
        let text = String(cString: message)
        let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        return line.isEmpty ? "no message" : line
    }

    private static func field(_ result: OpaquePointer, _ field: Field) -> String? {
        PQresultErrorField(result, Int32(field.rawValue.value)).map { String(cString: $0) }
    }

    // PostgreSQL documentation, appendix A, class 22.
    private static let dataExceptions: [String: String] = [
        "22000": "data exception", "22001": "value too long for its column", "22003": "numeric value out of range",
        "22004": "null value not allowed", "22007": "invalid date or time", "22008": "date or time out of range",
        "22009": "invalid time zone displacement", "22012": "division by zero", "22015": "interval out of range",
        "22021": "character not in the database's encoding", "22023": "invalid parameter value",
        "22026": "string length mismatch", "2202E": "array subscript error", "22P01": "floating-point exception",
        "22P02": "invalid text representation of a value", "22P03": "invalid binary representation of a value",
        "22P04": "bad COPY file format", "22P05": "untranslatable character", "22P06": "nonstandard use of escape",
        "2201B": "invalid regular expression", "22030": "duplicate JSON object key", "22032": "invalid JSON text",
    ]
}
