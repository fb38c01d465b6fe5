//
// PostgresErrorTests.swift
//

import Testing

@testable import PostgresDriver

/// Goal: an error says what failed, by code, where, and nothing that is secret.
@Suite struct PostgresErrorTests {
    @Test("A refused connection's code and words are told apart")
    func refusedConnection() {
        let text = """
            connection to server at "db" (10.0.0.7), port 5432 failed: FATAL:  28P01: password authentication failed \
            for user "ann"
            LOCATION:  auth_failed, auth.c:338

            """
        let error = ConnectMessage(text).error
        #expect(error.kind == .server(.invalidPassword))
        #expect(
            error.description == """
                connection to server at "db" (10.0.0.7), port 5432 failed: FATAL: password authentication failed for \
                user "ann" (SQLSTATE 28P01)
                """)
    }

    @Test("Without a code it is a failed connection")
    func noCode() {
        let error = ConnectMessage(
            "connection to server on socket \"/x/.s.PGSQL.5432\" failed: No such file\n\tIs it up?\n"
        ).error
        #expect(error.kind == .connectionFailed)
        #expect(error.sqlState == nil)
        #expect(error.message == "connection to server on socket \"/x/.s.PGSQL.5432\" failed: No such file")
        #expect(ConnectMessage("").error.message == "no message")
    }

    @Test("A data exception's message, which quotes the value, is replaced by the condition's name")
    func dataException() {
        let message = "invalid input syntax for type integer: \"hunter2\""
        #expect(
            ServerMessage.withoutValues(message, .invalidTextRepresentation)
                == "invalid text representation of a value")
        #expect(ServerMessage.withoutValues(message, SQLState(rawValue: "22XYZ")) == "data exception")
        #expect(ServerMessage.withoutValues("no table", .undefinedTable) == "no table")
    }

    @Test("The description holds code, statement and place")
    func description() {
        var error = PostgresError(.server(.uniqueViolation), "duplicate key value violates unique constraint \"k\"")
        error.statement = "INSERT INTO t\n    VALUES ($1)"
        error.site = .init(file: "Ledger/Writer.swift", line: 7)
        #expect(
            error.description == """
                duplicate key value violates unique constraint "k" (SQLSTATE 23505) in: INSERT INTO t VALUES ($1) \
                at Ledger/Writer.swift:7
                """)
        error.statement = String(repeating: "x", count: 1000)
        #expect(error.description.count < 300)
    }

    @Test(
        "What may pass by itself is transient",
        arguments: [
            (.server(.serializationFailure), true), (.server(.deadlockDetected), true),
            (.server(.cannotConnectNow), true),
            (.server(.diskFull), true), (.server(.tooManyConnections), true), (.server(.lockNotAvailable), true),
            (.server(.readOnlySQLTransaction), true), (.connectionLost, true), (.connectionFailed, true),
            (.poolExhausted, true), (.server(.uniqueViolation), false), (.server(.invalidPassword), false),
            (.server(.insufficientPrivilege), false), (.server(.databaseDropped), false),
            (.server(.statementCompletionUnknown), false), (.commitOutcomeUnknown, false), (.cancelled, false),
            (.misuse, false), (.decoding, false), (.configuration, false),
        ] as [(PostgresError.Kind, Bool)]
    )
    func transient(kind: PostgresError.Kind, isTransient: Bool) {
        #expect(PostgresError(kind, "x").isTransient == isTransient)
    }
}
