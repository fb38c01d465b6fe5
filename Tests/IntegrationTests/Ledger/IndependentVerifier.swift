//
// IndependentVerifier.swift: runs Tests/Shell/verify-ledger, which shares no code with the product.
//

import AllocationLedger
import Foundation
import PostgresDriver
import Synchronization
import TestSupport

enum IndependentVerifier {
    struct Answer {
        var status: Int32
        var output: String
    }

    static func run(_ arguments: String...) throws -> Answer {
        let verifier = Process()
        verifier.executableURL = ReadmeExamples.repository.appending(path: "Tests/Shell/verify-ledger")
        verifier.arguments = arguments
        let pipe = Pipe()
        verifier.standardOutput = pipe
        verifier.standardError = pipe
        try verifier.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        verifier.waitUntilExit()
        return Answer(status: verifier.terminationStatus, output: output)
    }
}

/// A file for the time of a test.
final class ScratchFile: Sendable {
    let path: String

    init(_ contents: [UInt8] = []) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "scratch-\(UUID().uuidString)").path()
        try Data(contents).write(to: URL(filePath: path))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension LedgerFixture {
    func read<Value: Sendable>(
        _ body: @Sendable (isolated PostgresConnection) async throws -> Value
    ) async throws -> Value {
        try await HistoryReader(configuration, logger: TestPostgres.logger).read(body)
    }

    /// A whole export of it.
    func exported() async throws -> ScratchFile {
        let bytes = Mutex<[UInt8]>([])
        try await read { connection in
            try await WholeExport.write(connection) { piece in bytes.withLock { $0 += piece } }
        }
        return try ScratchFile(bytes.withLock(\.self))
    }
}

extension WholeExport {
    static func verify(_ file: ScratchFile, checkpoints: [Checkpoint] = []) throws -> VerificationReport {
        let handle = try FileHandle(forReadingFrom: URL(filePath: file.path))
        defer { try? handle.close() }
        return try verify(handle.fileDescriptor, checkpoints: checkpoints)
    }
}
