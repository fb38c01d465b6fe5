//
// WholeExport.swift: everything that is needed to check a ledger without its database, as one stream.
//

import PostgresDriver

/// Writes a whole export, and verifies one.
package enum WholeExport {
    /// A sink that writes lines.
    private final class Writer: LedgerRecordSink {
        private var lines = ExportLineWriter()
        private let send: @Sendable ([UInt8]) async throws -> Void

        /// So much is gathered; a slice of rows can be a few times as much.
        private static let bytesMin = 64 * 1024

        init(_ send: @escaping @Sendable ([UInt8]) async throws -> Void) {
            self.send = send
            lines.begin()
        }

        func take(_ record: LedgerRecord) { lines.append(record) }

        nonisolated(nonsending) func drain() async throws {
            if lines.buffer.count >= Self.bytesMin { try await flush() }
        }

        nonisolated(nonsending) func finish() async throws {
            lines.end()
            try await flush()
        }

        private nonisolated(nonsending) func flush() async throws {
            let bytes = lines.buffer
            lines.removeAll()
            try await send(bytes)
        }
    }

    /// Writes the ledger of this snapshot.
    ///
    /// - Parameters:
    ///   - progress: Told how many revisions of how many are done.
    ///   - send: Takes a piece, which ends where a line ends.
    package static func write(
        _ connection: isolated PostgresConnection, progress: @escaping ChainVerifier.Progress = { _, _ in },
        to send: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        let writer = Writer(send)
        try await DatabaseRecords(progress: progress, rowsPerSlice: 20_000).read(into: writer, connection)
        try await writer.finish()
    }

    /// Verifies an export.
    ///
    /// - Parameters:
    ///   - descriptor: Of an open file or pipe.
    ///   - progress: Told how many bytes are done.
    /// - Throws: ``ExportError`` when it is no whole export; what is wrong with the ledger is in the report instead.
    package static func verify(
        _ descriptor: Int32, checkpoints: [Checkpoint] = [], progress: (_ bytes: Int64) -> Void = { _ in }
    ) throws -> VerificationReport {
        let verifier = ChainVerifier(.init(checkpoints: checkpoints))
        try ExportRecords.read(descriptor, into: verifier, progress: progress)
        return verifier.finish()
    }
}
