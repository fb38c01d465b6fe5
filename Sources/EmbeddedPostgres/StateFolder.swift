//
// StateFolder.swift: the cluster's folder: made, checked, and owned by one process at a time.
//

import CSys
import Foundation
import Glibc

/// A folder that this process owns. The lock goes with the last reference.
final class StateFolder: Sendable {
    let path: String
    let user: ServerUser
    private let lock: Int32

    var data: String { path + "/data" }
    var unfinishedData: String { path + "/data.tmp" }
    var socket: String { path + "/socket" }
    var log: String { path + "/postgres.log" }

    /// Makes or checks the folder and takes its lock.
    static func open(_ given: String) throws(EmbeddedPostgresError) -> StateFolder {
        let path = Files.resolved(given.hasPrefix("/") ? given : FileManager.default.currentDirectoryPath + "/" + given)
        let found = try Files.status(path)
        if let found {
            guard found.isFolder else { throw .notAFolder(path: path) }
            guard geteuid() == 0 || found.owner == geteuid() else {
                throw .folderOfAnotherUser(path: path, owner: ServerUser.describe(found.owner))
            }
        } else {
            try makeParents(of: path)
        }
        let user = try ServerUser.choose(owner: found?.owner)
        try checkSocketPath(path)
        if let found, !Files.isEmptyFolder(path) {
            // Filled by someone else, it may not just be given away or closed to them.
            guard found.permissions & 0o077 == 0 else {
                throw .folderNotPrivate(path: path, mode: found.permissions)
            }
        }
        try makeFolder(path, user)
        try checkParents(of: path, user)
        let folder = StateFolder(path: path, user: user, lock: try takeLock(path + "/lock", folder: path))
        try makeFolder(folder.socket, user)
        return folder
    }

    private init(path: String, user: ServerUser, lock: Int32) {
        self.path = path
        self.user = user
        self.lock = lock
    }

    deinit { close(lock) }

    /// Opens the server's log for appending. A large one from before is kept beside it, once.
    func openLog() throws(EmbeddedPostgresError) -> Int32 {
        if Files.size(log) > 4 << 20 { rename(log, log + ".1") }
        // Not through a link: the folder is the server's user's, and this may be root.
        let file = Glibc.open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw .system(what: "write to", path: log, errno: errno) }
        if user.isOther { fchown(file, user.uid, user.gid) }
        return file
    }

    /// Keeps a long-running server's log small. The server appends, so it goes on at the new end; what it wrote so far
    /// stays beside it, once.
    func shortenLog() {
        guard Files.size(log) > 32 << 20 else { return }
        try? FileManager.default.removeItem(atPath: log + ".1")
        try? FileManager.default.copyItem(atPath: log, toPath: log + ".1")
        truncate(log, 0)
    }

    private static func makeParents(of path: String) throws(EmbeddedPostgresError) {
        let parent = (path as NSString).deletingLastPathComponent
        guard try Files.status(parent) == nil else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: parent, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        } catch {
            throw .system(what: "make the folder", path: parent, errno: errno)
        }
    }

    /// Makes a folder private to the user; one that is there is given to them.
    private static func makeFolder(_ path: String, _ user: ServerUser) throws(EmbeddedPostgresError) {
        if mkdir(path, 0o700) != 0 && errno != EEXIST {
            throw .system(what: "make the folder", path: path, errno: errno)
        }
        let folder = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard folder >= 0 else { throw .system(what: "open the folder", path: path, errno: errno) }
        defer { close(folder) }
        guard fchmod(folder, 0o700) == 0, !user.isOther || fchown(folder, user.uid, user.gid) == 0 else {
            throw .system(what: "own the folder", path: path, errno: errno)
        }
    }

    private static func checkParents(of path: String, _ user: ServerUser) throws(EmbeddedPostgresError) {
        guard user.isOther else { return }
        var parent = ""
        for name in path.split(separator: "/").dropLast() {
            parent += "/" + name
            guard user.mayAccess(parent, X_OK) else {
                throw .parentNotSearchable(path: parent, user: user.description)
            }
        }
    }

    private static func checkSocketPath(_ path: String) throws(EmbeddedPostgresError) {
        let socket = path + "/socket/.s.PGSQL.5432"
        guard socket.utf8.count <= 107 else { throw .socketPathTooLong(path: socket, bytes: socket.utf8.count) }
    }

    private static func takeLock(_ path: String, folder: String) throws(EmbeddedPostgresError) -> Int32 {
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw .system(what: "open", path: path, errno: errno) }
        let failure = csys_lock_exclusively(file)
        guard failure == 0 else {
            close(file)
            guard failure == EWOULDBLOCK else { throw .system(what: "lock", path: path, errno: failure) }
            let holder = Files.text(path)?.split(whereSeparator: \.isWhitespace).first.flatMap { Int32($0) }
            throw .lockedByOther(path: folder, pid: holder)
        }
        // For the message above alone; the lock is the flock.
        let pid = Array("\(getpid())\n".utf8)
        ftruncate(file, 0)
        _ = pwrite(file, pid, pid.count, 0)
        return file
    }
}
