//
// PostgresError.swift: the driver's one error: what happened, by which code, at which statement and call.
//
// `description` is safe to log and to show: it holds no password, no bind value and no row value. The server's DETAIL
// and CONTEXT lines quote rows ("Key (id)=(42) already exists"), so they are not even kept; the primary message of a
// data exception (class 22) quotes the offending value, so its condition name stands in for it; libpq's complaints
// about a connection string quote the string, so they are replaced by our own words.
//

package struct PostgresError: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// The server refused, with this code. The session goes on.
        case server(SQLState)
        /// No session could be opened. ``PostgresError/sqlState`` is nil: a server that answered gives `.server`.
        case connectionFailed
        /// The session is gone; what it had not committed is rolled back.
        case connectionLost
        /// The call's deadline passed; the session was given up with it.
        case deadlineExceeded
        /// The session was lost while COMMIT was under way: look up whether it took effect, never repeat blindly.
        case commitOutcomeUnknown
        /// The task or the statement was cancelled; the session goes on where the server answered in time.
        case cancelled
        /// No connection of the pool became free in time.
        case poolExhausted
        /// A value was not of the type asked for.
        case decoding
        /// The connection string or the environment cannot be used.
        case configuration
        /// A bug in the caller: what was called cannot work.
        case misuse
    }

    /// Where the failing call stands.
    package struct CallSite: Sendable, Hashable, CustomStringConvertible {
        package let file: String
        package let line: Int

        package init(file: String, line: Int) {
            self.file = file
            self.line = line
        }

        package var description: String { "\(file):\(line)" }
    }

    package var kind: Kind
    /// The server's code, also where `kind` tells more than the code does, as in `.commitOutcomeUnknown`.
    package var sqlState: SQLState?
    /// One line, without DETAIL, CONTEXT or any value.
    package var message: String
    /// The server's HINT line, which is advice and holds no row values.
    package var hint: String?
    /// The constraint violated, when that is what happened.
    package var constraint: String?
    /// The statement's text: binds stand in it as $1, $2 and so on.
    package var statement: String?
    /// The line of `statement` that the server points at, from 1.
    package var statementLine: Int?
    package var site: CallSite?

    package init(_ kind: Kind, _ message: String, sqlState: SQLState? = nil) {
        self.kind = kind
        self.message = message
        self.sqlState = sqlState
        if case .server(let state) = kind { self.sqlState = state }
    }

    /// Whether the same work may succeed when it is done again as it was, on a new session where this one is gone.
    /// False for an unknown commit, which must be looked up first.
    package var isTransient: Bool {
        switch kind {
        case .connectionFailed, .connectionLost, .poolExhausted, .deadlineExceeded: true
        case .server(let state): state.isTransient
        case .commitOutcomeUnknown, .cancelled, .decoding, .configuration, .misuse: false
        }
    }

    /// What happened, for whoever cannot do anything about the statement or this program.
    package var summary: String {
        var text = message
        if let sqlState { text += " (SQLSTATE \(sqlState))" }
        if let hint { text += "; hint: \(hint)" }
        return text
    }

    package var description: String {
        var text = summary
        if let statement { text += " in: \(Self.shortened(statement))" }
        if let statementLine { text += " [line \(statementLine)]" }
        if let site { text += " at \(site)" }
        return text
    }

    /// One line of at most 160 characters.
    private static func shortened(_ statement: String) -> String {
        let words = statement.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return words.count <= 160 ? words : words.prefix(159) + "…"
    }

    /// Adds what is not said yet.
    func locating(statement: String?, site: CallSite? = nil) -> PostgresError {
        var copy = self
        copy.statement = copy.statement ?? statement
        copy.site = copy.site ?? site
        return copy
    }
}
