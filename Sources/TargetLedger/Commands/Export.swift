//
// Export.swift: `export`: the record itself, for other programs, oldest first.
//
// It is read in one snapshot and written while it is read: a page of rows is in memory at a time, whatever the size of
// the ledger.
//

import AllocationLedger
import AllocatorAPI
import ArgumentParser
import Glibc
import PostgresDriver

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write what is recorded, for other programs.",
        discussion: """
            Events of targets or collectors, moves and revisions of the window, oldest first, or the state at one moment with labels; \
            with --whole everything that `verify --export` needs to check the ledger without its database. Reads the database alone; new \
            revisions do not show in an export that has begun.
            """)

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Option(help: "What: \(LedgerExport.Subject.allCases.map(\.rawValue).joined(separator: ", ")).")
    var what = LedgerExport.Subject.events
    @OptionGroup var bounds: WindowFlags
    @Option(help: "For a state, the moment: \(InstantArgument.spelling); the latest when not given.")
    var at: InstantArgument?
    @OptionGroup var labels: LabelFlags
    @Option(help: "Form: \(LedgerExport.Format.allCases.map(\.rawValue).joined(separator: ", ")).")
    var output = LedgerExport.Format.ndjson
    @Flag(help: "The whole ledger, to be verified elsewhere; as NDJSON.") var whole = false
    @Argument(help: "The file to write; standard output when not given. A file that is there is not overwritten.")
    var file: String?

    func validate() throws {
        if whole,
            output == .csv || what != .events || at != nil || !labels.selectors.isEmpty
                || bounds.since != nil || bounds.until != nil
        {
            throw ValidationError("--whole is everything, as NDJSON: it takes no other choice.")
        }
        if what == .state, bounds.since != nil || bounds.until != nil {
            throw ValidationError("A state has one moment: --at, not --since or --until.")
        }
        if what != .state, at != nil || !labels.selectors.isEmpty {
            throw ValidationError("--at and --match are for --what state.")
        }
    }

    func run() async throws {
        guard let file else { return try await LedgerDatabase.read(database) { try await write(to: .output, $0) } }
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw CommandFailure(.unreachable, "\(file): \(String(cString: strerror(errno)))")
        }
        let outcome: Result<Void, any Error>
        do {
            let console = Console(descriptor: descriptor)
            outcome = .success(try await LedgerDatabase.read(database) { try await write(to: console, $0) })
        } catch { outcome = .failure(error) }
        if case .success = outcome, fsync(descriptor) != 0 {
            throw CommandFailure(.unreachable, "\(file): \(String(cString: strerror(errno)))")
        }
        close(descriptor)
        // Half an export is none.
        if case .failure = outcome { unlink(file) }
        try outcome.get()
    }

    func write(to console: Console, _ connection: isolated PostgresConnection) async throws {
        // Above the rows on the same terminal it would only disturb.
        let bar = ProgressLine("exporting", isWanted: !console.isTerminal)
        defer { bar.clear() }
        let progress: ChainVerifier.Progress = { bar.advance(to: $0, of: $1) }
        if whole {
            return try await WholeExport.write(connection, progress: progress) { try console.send($0) }
        }
        let export = LedgerExport(
            what, as: output, window: try await bounds.window(connection), at: at?.instant(now: .now()) ?? .latest,
            selection: try labels.selection())
        try await export.write(connection, progress: progress) { try console.send($0) }
    }
}

extension LedgerExport.Subject: ExpressibleByArgument {}
extension LedgerExport.Format: ExpressibleByArgument {}
