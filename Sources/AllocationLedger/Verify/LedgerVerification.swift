//
// LedgerVerification.swift: verifications as commands and routes ask for them.
//

import Logging
import PostgresDriver

extension ChainVerifier {
    /// Told how many revisions of how many are done.
    package typealias Progress = @Sendable (_ done: Int64, _ total: Int64) -> Void

    /// Walks the whole ledger, over a session of its own.
    ///
    /// - Parameter checkpoints: Taken before and kept elsewhere; the log has to continue them.
    /// - Throws: ``LedgerError`` when it cannot be read; what is wrong with it is in the report instead.
    package static func verify(
        _ configuration: PostgresConfiguration, checkpoints: [Checkpoint] = [], logger: Logger,
        progress: @escaping Progress = { _, _ in }
    ) async throws -> VerificationReport {
        // A statement reads thousands of revisions.
        var patient = configuration
        patient.statementTimeout = .seconds(3600)
        return try await HistoryReader(patient, logger: logger).read(deadline: .now + .seconds(24 * 3600)) {
            connection in
            let verifier = ChainVerifier(Scope(checkpoints: checkpoints))
            try await DatabaseRecords(progress: progress).read(into: verifier, connection)
            var report = verifier.finish()
            if report.isIntact { try await check(snapshotsOf: &report, connection) }
            return report
        }
    }

    /// Snapshots only repeat what the events say; where those are not what they were, that is told already.
    private static func check(
        snapshotsOf report: inout VerificationReport, _ connection: isolated PostgresConnection
    ) async throws {
        let row = try await connection.query("SELECT count(DISTINCT revision) FROM ledger.state_snapshot").first
        guard let count = try row?.decode(0, as: Int64.self), count > 0 else { return }
        let findings = try await SnapshotCheck.run(connection).map {
            VerificationReport.Finding(kind: .altered, revision: $0.revision, detail: $0.detail)
        }
        report.findings += findings
        report.parts.append(
            VerificationReport.Part(
                name: "state_snapshot", verdict: findings.isEmpty ? .ok : .altered, rows: count, findings: findings,
                furtherFindings: 0))
    }

    /// Walks some revisions, with what their events name. The first is taken to continue what came before it, and the
    /// current state is not looked at.
    ///
    /// - Throws: ``HistoryError`` when they are not recorded, or no longer.
    package static func verify(
        revisions: ClosedRange<Int64>, _ connection: isolated PostgresConnection
    ) async throws -> VerificationReport {
        let bounds = try await RecordedBounds.read(connection)
        guard revisions.lowerBound >= bounds.oldest.revision.number else {
            throw HistoryError.compacted(oldest: bounds.oldest)
        }
        guard revisions.upperBound <= bounds.latest.revision.number else {
            throw HistoryError.notYetWritten(latest: bounds.latest.revision)
        }
        let verifier = ChainVerifier(Scope(revisions: revisions))
        try await DatabaseRecords(revisions: revisions).read(into: verifier, connection)
        return verifier.finish()
    }
}
