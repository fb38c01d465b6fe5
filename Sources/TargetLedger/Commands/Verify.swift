//
// Verify.swift: `verify`: walks the digest chain and says of every part whether it is as it was recorded.
//

import AllocationLedger
import AllocatorAPI
import AllocatorRuntime
import ArgumentParser
import Glibc
import Logging
import Synchronization

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check that the ledger is complete and unaltered.",
        discussion: """
            Every digest is computed again from the rows. Each part gets its verdict: OK, GAP (declared), GAP (undeclared), \
            MISSING or ALTERED. Status 0 means that all are OK or declared gaps; with status 1 the first line names the \
            first row that is altered, missing or out of order. With --export no database is needed.
            """)

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Option(
        name: .customLong("export"),
        help: ArgumentHelp(
            "Check a whole export (`export --whole`) instead of a database; - reads standard input.", valueName: "file")
    )
    var exportFile: String?
    @Option(
        name: .customLong("checkpoint"),
        help: ArgumentHelp(
            "A checkpoint that was taken before: the log has to continue it. May be given several times.",
            valueName: "file"))
    var checkpoints: [String] = []
    @Option(
        help: ArgumentHelp(
            "The verifier key of the checkpoints' signatures, as `checkpoint --new-key` prints it.",
            valueName: "name+id+base64"),
        transform: { try VerifierKeyArgument($0) })
    var key: VerifierKeyArgument?
    @Option(help: "Form: \(OutputFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
    var output: OutputFormat = .table

    func validate() throws {
        if exportFile != nil, database.databaseURL != nil || database.dataDirectory != nil {
            throw ValidationError("--export needs no database: leave its options out.")
        }
        if key != nil, checkpoints.isEmpty { throw ValidationError("--key is for --checkpoint.") }
    }

    func run() async throws {
        let former = try checkpoints.map { try CheckpointFile.read($0, signedBy: key?.key) }
        if !former.isEmpty, key == nil {
            Console.error.write("The signatures of the checkpoints are not checked: --key names no key.\n")
        }
        let bar = ProgressLine("verifying")
        let report: VerificationReport
        if let exportFile {
            report = try Self.verify(exportFile, former, bar)
        } else {
            let logger = Logger.forCommand()
            report = try await LedgerDatabase.open(try .load(database), logger: logger) { configuration in
                try await ChainVerifier.verify(configuration, checkpoints: former, logger: logger) {
                    bar.advance(to: $0, of: $1)
                }
            }
        }
        bar.clear()
        try Self.write(report, as: output, to: .output)
        guard report.isIntact else { throw CommandFailure(.answerIsNo) }
    }

    private static func verify(
        _ path: String, _ checkpoints: [Checkpoint], _ bar: ProgressLine
    ) throws -> VerificationReport {
        let file = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw CommandFailure(.unreachable, "\(path): \(String(cString: strerror(errno)))") }
        defer { if path != "-" { close(file) } }
        var status = stat()
        let size = fstat(file, &status) == 0 ? Int64(status.st_size) : 0
        do {
            return try WholeExport.verify(file, checkpoints: checkpoints) { bar.advance(to: $0, of: size) }
        } catch let error as ExportError {
            throw CommandFailure(.answerIsNo, "\(path): \(error)")
        }
    }

    static func write(_ report: VerificationReport, as format: OutputFormat, to console: Console) throws {
        let parts = RowForm.part.report(report.parts)
        guard format == .table else { return try parts.send(as: format, to: console) }
        if report.isIntact {
            let tip = report.head.map { "revision \($0.revision), digest \($0.digest)" } ?? "nothing recorded yet"
            try console.send(
                "OK: \(report.revisions) revisions, \(report.events) events, \(report.labelSets) label sets; tip: \(tip)\n"
            )
        } else {
            for finding in report.findings { try console.send("\(finding)\n") }
        }
        guard !report.parts.isEmpty else { return }
        try console.send("\n")
        try parts.send(as: .table, to: console)
    }
}

extension RowForm<VerificationReport.Part> {
    static var part: Self {
        Self([
            Field("part", "PART") { .text($0.name) },
            Field(
                "verdict", "VERDICT",
                tint: { cell in
                    let verdict = VerificationReport.Verdict(rawValue: cell.plain)
                    return verdict.map { $0 == .ok ? .green : $0.isGood ? .yellow : .red }
                }
            ) { .text($0.verdict.rawValue) },
            Field("rows", "ROWS") { .number($0.rows) },
            Field(nil, "WHAT") { part in
                let more = part.furtherFindings + Int64(max(0, part.findings.count - 1))
                return .optional(part.findings.first.map { "\($0.summary)\(more > 0 ? ", and \(more) more" : "")" })
            },
            Field("findings") { part in
                .list(
                    part.findings.map { finding in
                        .object([
                            Cell.Member(key: "kind", cell: .text(finding.kind.rawValue)),
                            Cell.Member(key: "revision", cell: .optional(finding.revision)),
                            Cell.Member(key: "event", cell: .optional(finding.ordinal.map(Int64.init))),
                            Cell.Member(key: "detail", cell: .text(finding.detail)),
                        ])
                    })
            },
            Field("further_findings") { .number($0.furtherFindings) },
        ])
    }
}

extension VerificationReport.Finding {
    /// Without its kind, which stands beside it.
    fileprivate var summary: String {
        let place = [revision.map { "revision \($0)" }, ordinal.map { "event \($0)" }].compactMap { $0 }
        return place.isEmpty ? detail : "\(place.joined(separator: " ")): \(detail)"
    }
}

/// A verifier key on the command line.
struct VerifierKeyArgument: Sendable {
    let key: NoteVerifier

    init(_ text: String) throws {
        do { key = try NoteVerifier(text) } catch { throw ValidationError(error.description) }
    }
}

/// A checkpoint in a file.
enum CheckpointFile {
    /// - Throws: ``CommandFailure``: unreadable, or not signed by the key.
    static func read(_ path: String, signedBy key: NoteVerifier?) throws -> Checkpoint {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw CommandFailure(.unreachable, "\(path): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: SignedNote.bytesMax + 1)
        var count = 0
        while count < bytes.count {
            let more = bytes.withUnsafeMutableBytes {
                Glibc.read(file, $0.baseAddress?.advanced(by: count), $0.count - count)
            }
            guard more > 0 else { break }
            count += more
        }
        do {
            let note = try SignedNote(String(decoding: bytes[..<count], as: UTF8.self))
            if let key { try note.requireSignature(by: key) }
            return try Checkpoint(text: note.text)
        } catch {
            throw CommandFailure(.answerIsNo, "\(path): \(error)")
        }
    }
}

/// A progress bar that is advanced from wherever the work runs.
final class ProgressLine: Sendable {
    private let bar: Mutex<ProgressBar>

    /// - Parameter isWanted: False: silent even on a terminal.
    init(_ label: String, isWanted: Bool = true) { bar = Mutex(ProgressBar(label, isWanted: isWanted)) }

    func advance(to done: Int64, of total: Int64) { bar.withLock { $0.advance(to: done, of: total) } }
    func clear() { bar.withLock { $0.clear() } }
}
