//
// ExitStatus.swift: the statuses of the program, which scripts rely on.
//

import AllocationLedger
import AllocatorAPI
import ArgumentParser
import EmbeddedPostgres
import Glibc
import PostgresDriver

/// What the status of the process says.
enum ExitStatus: Int32 {
    case done = 0
    /// The command did its work, and the answer is no: an alteration was found, a configuration is invalid, serving
    /// ended by a failure.
    case answerIsNo = 1
    /// The command line cannot be understood.
    case wrongUse = 2
    /// A database, a file or a server that is needed could not be reached.
    case unreachable = 3

    /// Ends the process as `error` asks for: its text, where to write it, the status.
    static func end(with error: any Error) -> Never {
        switch error {
        case let failure as CommandFailure:
            if !failure.message.isEmpty { Console.error.write("target-ledger: \(failure.message)\n") }
            exit(failure.status.rawValue)
        case is ClosedPipe: exit(done.rawValue)
        case let error as LedgerError: end(with: CommandFailure(error))
        case let error as HistoryError: end(with: CommandFailure(error))
        case let error as PostgresError: end(with: CommandFailure(.unreachable, error.description))
        case let error as EmbeddedPostgresError: end(with: CommandFailure(.unreachable, error.description))
        case let error as ListenError: end(with: CommandFailure(.unreachable, error.description))
        default:
            // Help and version are "errors" of success to the parser; everything else it throws is wrong use.
            let isHelp = App.exitCode(for: error) == .success
            let text = App.fullMessage(for: error)
            (isHelp ? Console.output : Console.error).write(text.isEmpty ? "" : text + "\n")
            exit((isHelp ? done : App.exitCode(for: error) == .validationFailure ? wrongUse : answerIsNo).rawValue)
        }
    }
}

/// How a command ends when it does not end well.
struct CommandFailure: Error, CustomStringConvertible {
    var status: ExitStatus
    /// For people, one line or more, without a secret; empty when all is said already.
    var message: String

    var description: String { message }

    init(_ status: ExitStatus, _ message: String = "") {
        self.status = status
        self.message = message
    }
}

extension CommandFailure {
    /// What was never recorded, or is not kept, is an answer; a question that means nothing is wrong use.
    init(_ error: HistoryError) {
        switch error {
        case .emptyWindow, .ambiguous: self.init(.wrongUse, error.description)
        default: self.init(.answerIsNo, error.description)
        }
    }

    /// A ledger that contradicts itself is an answer; everything else is out of reach.
    ///
    /// - Parameter database: Where it was looked for, without a secret.
    init(_ error: LedgerError, database: String? = nil) {
        let message = (database.map { "\($0): " } ?? "") + error.description
        if case .corrupted = error {
            self.init(.answerIsNo, message)
        } else if case .refused(let why) = error {
            self.init(.answerIsNo, why)
        } else {
            self.init(.unreachable, message)
        }
    }

    /// Runs `body` on a database, whose place is then part of what is said when that fails.
    static func naming<Value>(
        _ configuration: PostgresConfiguration, isolation: isolated (any Actor)? = #isolation,
        _ body: (PostgresConfiguration) async throws -> Value
    ) async throws -> Value {
        do {
            return try await body(configuration)
        } catch let error as LedgerError {
            throw CommandFailure(error, database: configuration.redactedDescription)
        } catch let error as PostgresError {
            throw CommandFailure(LedgerError(error), database: configuration.redactedDescription)
        }
    }
}
