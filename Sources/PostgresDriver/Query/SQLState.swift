//
// SQLState.swift: PostgreSQL's five-character error codes, on which every decision about an error rests.
//
// Source: PostgreSQL documentation, appendix A, "PostgreSQL Error Codes".
//

/// A server's error code. No decision is ever made on an error's text.
package struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package var description: String { rawValue }

    /// The first two characters: what kind of error this is.
    package var errorClass: Substring { rawValue.prefix(2) }

    package static let connectionFailure = SQLState(rawValue: "08006")
    package static let transactionResolutionUnknown = SQLState(rawValue: "08007")
    package static let featureNotSupported = SQLState(rawValue: "0A000")
    package static let invalidTextRepresentation = SQLState(rawValue: "22P02")
    package static let invalidParameterValue = SQLState(rawValue: "22023")
    package static let foreignKeyViolation = SQLState(rawValue: "23503")
    package static let uniqueViolation = SQLState(rawValue: "23505")
    package static let checkViolation = SQLState(rawValue: "23514")
    package static let activeSQLTransaction = SQLState(rawValue: "25001")
    package static let readOnlySQLTransaction = SQLState(rawValue: "25006")
    package static let noActiveSQLTransaction = SQLState(rawValue: "25P01")
    package static let inFailedSQLTransaction = SQLState(rawValue: "25P02")
    package static let idleInTransactionSessionTimeout = SQLState(rawValue: "25P03")
    package static let invalidSQLStatementName = SQLState(rawValue: "26000")
    package static let invalidAuthorization = SQLState(rawValue: "28000")
    package static let invalidPassword = SQLState(rawValue: "28P01")
    package static let invalidCatalogName = SQLState(rawValue: "3D000")
    package static let invalidSchemaName = SQLState(rawValue: "3F000")
    package static let serializationFailure = SQLState(rawValue: "40001")
    package static let statementCompletionUnknown = SQLState(rawValue: "40003")
    package static let deadlockDetected = SQLState(rawValue: "40P01")
    package static let insufficientPrivilege = SQLState(rawValue: "42501")
    package static let syntaxError = SQLState(rawValue: "42601")
    package static let undefinedColumn = SQLState(rawValue: "42703")
    package static let undefinedFunction = SQLState(rawValue: "42883")
    package static let undefinedTable = SQLState(rawValue: "42P01")
    package static let duplicateDatabase = SQLState(rawValue: "42P04")
    package static let duplicatePreparedStatement = SQLState(rawValue: "42P05")
    package static let duplicateTable = SQLState(rawValue: "42P07")
    package static let diskFull = SQLState(rawValue: "53100")
    package static let outOfMemory = SQLState(rawValue: "53200")
    package static let tooManyConnections = SQLState(rawValue: "53300")
    package static let objectInUse = SQLState(rawValue: "55006")
    package static let lockNotAvailable = SQLState(rawValue: "55P03")
    package static let queryCanceled = SQLState(rawValue: "57014")
    package static let adminShutdown = SQLState(rawValue: "57P01")
    package static let crashShutdown = SQLState(rawValue: "57P02")
    package static let cannotConnectNow = SQLState(rawValue: "57P03")
    package static let databaseDropped = SQLState(rawValue: "57P04")
    package static let raiseException = SQLState(rawValue: "P0001")

    /// Whether the same statements may well succeed later with nothing changed: the server is starting or stopping,
    /// something is full or locked for now, the transaction lost against another, or a pooler mixed up what was prepared
    /// (the connection prepares nothing from then on).
    package var isTransient: Bool {
        switch errorClass {
        // Connection exception; transaction rollback; insufficient resources; operator intervention; system error.
        case "08", "40", "53", "57", "58": self != .databaseDropped && self != .statementCompletionUnknown
        default:
            [
                .lockNotAvailable, .objectInUse, .readOnlySQLTransaction, .invalidSQLStatementName,
                .duplicatePreparedStatement,
            ].contains(self)
        }
    }
}
