//
// DayFiles.swift: the files that days are exported to before they are dropped.
//

import Foundation
import Glibc
import PostgresDriver

/// Why a day is in no file.
package struct DayFileError: Error, Sendable, Hashable, CustomStringConvertible {
    package var path: String
    package var problem: String

    package var description: String { "\(path): \(problem)" }

    /// Of the last system call.
    fileprivate init(_ path: String) { self.init(path, String(cString: strerror(errno))) }

    fileprivate init(_ path: String, _ problem: String) {
        self.path = path
        self.problem = problem
    }
}

/// A folder with a file a day.
package struct DayFiles: Sendable, Hashable {
    package var folder: String

    package init(folder: String) { self.folder = folder }

    /// Writes a day, whole and on disk before its name is there. A file that an attempt before has left is replaced.
    ///
    /// The connection's thread waits for the disk.
    ///
    /// - Returns: SHA-256 of the file.
    /// - Throws: ``DayFileError`` when the file cannot be written.
    package func write(_ day: RetentionDay, _ connection: isolated PostgresConnection) async throws -> Digest32 {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw DayFileError(folder, error.localizedDescription)
        }
        var export = DayExport(day)
        let path = folder + "/" + export.fileName
        let draft = path + ".part"
        let descriptor = open(draft, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw DayFileError(draft) }
        do {
            try await export.write(connection) { try Self.write($0, to: descriptor, draft) }
            guard fsync(descriptor) == 0 else { throw DayFileError(draft) }
        } catch {
            close(descriptor)
            unlink(draft)
            throw error
        }
        close(descriptor)
        guard rename(draft, path) == 0 else { throw DayFileError(path) }
        try syncFolder()
        return export.digest
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(DayFileError) {
        var start = 0
        while start < bytes.count {
            let written = bytes[start...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 {
                if errno == EINTR { continue }
                throw DayFileError(path)
            }
            start += written
        }
    }

    /// The name is on disk only when the folder is.
    private func syncFolder() throws(DayFileError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DayFileError(folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw DayFileError(folder) }
    }
}
