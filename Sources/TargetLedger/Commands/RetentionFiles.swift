//
// RetentionFiles.swift: the files that days are exported to before they are dropped.
//

import AllocationLedger
import Foundation
import Glibc
import Logging
import PostgresDriver

/// A folder with a file a day.
struct DayFiles {
    let folder: String

    /// Writes the days, each whole and on disk before its name is there.
    ///
    /// - Returns: SHA-256 of each file.
    /// - Throws: ``CommandFailure`` of status ``ExitStatus/unreachable`` when a file cannot be written.
    func write(
        _ days: [RetentionDay], _ configuration: PostgresConfiguration, logger: Logger
    ) async throws -> [RetentionDay: Digest32] {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw CommandFailure(.unreachable, "\(folder): \(error.localizedDescription)")
        }
        var digests: [RetentionDay: Digest32] = [:]
        for day in days {
            digests[day] = try await LedgerDatabase.read(configuration, logger: logger) { connection in
                try await write(day, connection)
            }
        }
        return digests
    }

    private func write(_ day: RetentionDay, _ connection: isolated PostgresConnection) async throws -> Digest32 {
        var export = DayExport(day)
        let path = folder + "/" + export.fileName
        let draft = path + ".part"
        let descriptor = open(draft, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw Self.failure(draft) }
        do {
            try await export.write(connection) { bytes in
                var start = 0
                while start < bytes.count {
                    let written = bytes[start...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                    if written < 0 {
                        if errno == EINTR { continue }
                        throw Self.failure(draft)
                    }
                    start += written
                }
            }
            guard fsync(descriptor) == 0 else { throw Self.failure(draft) }
        } catch {
            close(descriptor)
            unlink(draft)
            throw error
        }
        close(descriptor)
        guard rename(draft, path) == 0 else { throw Self.failure(path) }
        try syncFolder()
        return export.digest
    }

    /// The name is on disk only when the folder is.
    private func syncFolder() throws {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure(folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.failure(folder) }
    }

    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure(.unreachable, "\(path): \(String(cString: strerror(errno)))")
    }
}
