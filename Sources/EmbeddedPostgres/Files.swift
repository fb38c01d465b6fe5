//
// Files.swift: the few things done with files, with their failures as errors of this module.
//

import CSys
import Foundation
import Glibc

func describe(errno: Int32) -> String { strerror(errno).map { String(cString: $0) } ?? "error \(errno)" }

enum Files {
    /// What is at a path, without following a link there.
    struct Status {
        let mode: mode_t
        let owner: uid_t
        var isFolder: Bool { mode & S_IFMT == S_IFDIR }
        var permissions: UInt16 { UInt16(mode & 0o7777) }
    }

    /// nil when there is nothing.
    static func status(_ path: String) throws(EmbeddedPostgresError) -> Status? {
        var found = stat()
        if lstat(path, &found) == 0 { return Status(mode: found.st_mode, owner: found.st_uid) }
        guard errno == ENOENT else { throw .system(what: "look at", path: path, errno: errno) }
        return nil
    }

    static func isEmptyFolder(_ path: String) -> Bool {
        (try? FileManager.default.contentsOfDirectory(atPath: path).isEmpty) ?? false
    }

    /// At most `bytesMax` bytes from `offset`; nil when the file cannot be read.
    static func text(_ path: String, from offset: Int64 = 0, bytesMax: Int = 64 * 1024) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: bytesMax)
        var count = 0
        while count < bytesMax {
            let read = bytes.withUnsafeMutableBytes { buffer in
                pread(file, buffer.baseAddress?.advanced(by: count), bytesMax - count, off_t(offset) + off_t(count))
            }
            if read <= 0 { break }
            count += read
        }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    static func size(_ path: String) -> Int64 {
        var found = stat()
        return lstat(path, &found) == 0 ? Int64(found.st_size) : 0
    }

    /// Removes a file if it is there.
    static func remove(_ path: String) throws(EmbeddedPostgresError) {
        if unlink(path) != 0 && errno != ENOENT { throw .system(what: "remove", path: path, errno: errno) }
    }

    static func removeTree(_ path: String) throws(EmbeddedPostgresError) {
        guard try status(path) != nil else { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw .system(what: "remove", path: path, errno: EIO)
        }
    }

    /// Makes an entry of a folder survive a power cut.
    static func synchronize(folder: String) {
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { return }
        fsync(file)
        close(file)
    }

    /// Returns once everything written to the file system of a folder is on its disk.
    static func synchronizeAll(below folder: String) throws(EmbeddedPostgresError) {
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw .system(what: "open the folder", path: folder, errno: errno) }
        defer { close(file) }
        let failure = csys_synchronize_file_system(file)
        guard failure == 0 else { throw .system(what: "write to disk", path: folder, errno: failure) }
    }

    static func freeBytes(_ path: String) -> UInt64 {
        var found = statvfs()
        guard statvfs(path, &found) == 0 else { return .max }
        return UInt64(found.f_bavail) * UInt64(found.f_frsize)
    }

    /// Where a link of procfs points.
    static func linkTarget(_ path: String) -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }

    /// The path with every link resolved; the path itself when that fails.
    static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }
}
