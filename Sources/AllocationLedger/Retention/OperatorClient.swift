//
// OperatorClient.swift: a command's side of a request: asks, waits, and where nobody leads does it itself.
//

import Logging
import PostgresDriver

/// Asks for operations.
package struct OperatorClient: Sendable {
    private let configuration: PostgresConfiguration
    private let who: String
    private let logger: Logger

    /// - Parameter who: On whose behalf, for the record.
    package init(_ configuration: PostgresConfiguration, who: String, logger: Logger) {
        self.configuration = configuration
        self.who = who
        self.logger = logger
    }

    /// How often it is looked whether the leader still lives; being done is told at once.
    private static let lookInterval = Duration.seconds(1)

    /// Has an operation done and waits for the outcome.
    ///
    /// - Parameter patience: Until it is given up to wait; whoever leads goes on.
    /// - Returns: Nil when it is not done by then.
    /// - Throws: ``LedgerError``.
    package func run(
        _ operation: OperatorOperation, patience: Duration
    ) async throws -> OperatorRequest.Outcome? {
        try await LedgerError.translating {
            let connection = try await PostgresConnection.connect(configuration, logger: logger)
            let outcome: Result<OperatorRequest.Outcome?, any Error>
            do {
                try await Migrator.requireCurrent(connection)
                try await requireSomething(connection)
                // Before it is asked, so that the answer cannot be missed.
                try await connection.listen(OperatorQueries.outcomeChannel)
                let id = try await OperatorQueries.ask(operation, by: who, connection)
                outcome = .success(try await wait(for: id, until: .now + patience, connection))
            } catch { outcome = .failure(error) }
            await connection.close()
            return try outcome.get()
        }
    }

    private func wait(
        for id: UUID128, until deadline: ContinuousClock.Instant, _ connection: PostgresConnection
    ) async throws -> OperatorRequest.Outcome? {
        while .now < deadline {
            if case .done(let outcome) = try await OperatorQueries.find(id, connection)?.state { return outcome }
            let isLed = try await LeaseQueries.holder(connection, deadline: .now + .seconds(10)) != nil
            if !isLed, try await OperatorTerm(configuration, address: who, logger: logger).serveRequests() { continue }
            _ = try await connection.nextNotification(deadline: min(deadline, .now + Self.lookInterval))
        }
        return nil
    }

    private func requireSomething(_ connection: PostgresConnection) async throws {
        guard try await LedgerQueries.head(connection) != nil else {
            throw LedgerError.refused("the ledger holds no revision yet, so there is nothing to do")
        }
    }
}
