//
// EmbeddedPostgresError.swift: why the private cluster cannot be had, each with what to do about it.
//

package enum EmbeddedPostgresError: Error, Sendable, Hashable {
    /// No `postgres` with its `initdb` in any of these folders.
    case binariesMissing(searched: [String])
    /// Only servers older than the ledger supports.
    case serverTooOld(folder: String, majorVersion: Int)
    /// The cluster was made by another major version than any server at hand.
    case wrongMajorVersion(folder: String, found: Int, servers: [Int])
    /// `data` holds files but is no cluster.
    case notACluster(folder: String)
    /// Others than its owner may enter the folder.
    case folderNotPrivate(path: String, mode: UInt16)
    /// The folder belongs to another user than the one that runs this.
    case folderOfAnotherUser(path: String, owner: String)
    /// The path is there but is no folder.
    case notAFolder(path: String)
    /// The server's user may not pass through a folder above the cluster.
    case parentNotSearchable(path: String, user: String)
    /// A call of the operating system failed.
    case system(what: String, path: String, errno: Int32)
    /// Another process owns the folder.
    case lockedByOther(path: String, pid: Int32?)
    case diskFull(path: String, freeBytes: UInt64)
    /// A Unix socket's path has 107 bytes at most.
    case socketPathTooLong(path: String, bytes: Int)
    /// Root may not run PostgreSQL, and there is no user to run it as.
    case noUnprivilegedUser(tried: [String])
    /// initdb needs the name of the user that runs it.
    case userWithoutName(uid: UInt32)
    /// A server works in the folder and does not stop.
    case serverDoesNotStop(folder: String, pid: Int32)
    /// initdb, or the making of the database, failed.
    case initFailed(reason: String, output: String)
    /// The server ended instead of coming up.
    case startFailed(reason: String, log: String, logTail: String)
    case startTimedOut(after: Duration, log: String, logTail: String)
    /// Stopped before it was up.
    case stopped
}

extension EmbeddedPostgresError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .binariesMissing(let searched):
            "PostgreSQL's server programs (postgres, initdb) were not found in \(searched.joined(separator: ", ")); "
                + "on Debian: apt-get install postgresql"
        case .serverTooOld(let folder, let major):
            "PostgreSQL \(major) in \(folder) is too old: "
                + "\(EmbeddedPostgresConfiguration.oldestMajorVersion) or later is needed"
        case .wrongMajorVersion(let folder, let found, let servers):
            "\(folder) was made by PostgreSQL \(found), and the servers here are of version "
                + "\(servers.map(String.init).joined(separator: ", ")); install postgresql-\(found), "
                + "or move the data with pg_upgrade"
        case .notACluster(let folder): "\(folder) holds files but no PG_VERSION, so it is no PostgreSQL cluster"
        case .folderNotPrivate(let path, let mode):
            "\(path) may be entered by others (mode 0\(String(mode, radix: 8))): chmod 700 it, or name another folder"
        case .folderOfAnotherUser(let path, let owner):
            "\(path) belongs to \(owner): run as that user or as root, or name another folder"
        case .notAFolder(let path): "\(path) is not a folder"
        case .parentNotSearchable(let path, let user):
            "the server runs as user \(user), who may not pass through \(path): "
                + "chmod o+x it, or name a folder elsewhere, such as /var/lib/target-ledger"
        case .system(let what, let path, let errno): "cannot \(what) \(path): \(describe(errno: errno))"
        case .lockedByOther(let path, let pid):
            "\(path) is in use by another process" + (pid.map { " (pid \($0))" } ?? "")
        case .diskFull(let path, let free):
            "no room for PostgreSQL on the disk of \(path): \(free >> 20) MiB are free"
        case .socketPathTooLong(let path, let bytes):
            "the path of the server's socket, \(path), has \(bytes) bytes; 107 are possible: name a shorter folder"
        case .noUnprivilegedUser(let tried):
            "PostgreSQL does not run as root, and there is no user \(tried.joined(separator: " or ")) to run it as"
        case .userWithoutName(let uid):
            "initdb needs a user name, and uid \(uid) has none: add the user to /etc/passwd"
        case .serverDoesNotStop(let folder, let pid):
            "a PostgreSQL server (pid \(pid)) works in \(folder) and does not stop"
        case .initFailed(let reason, let output):
            "a new cluster could not be made: \(reason)" + (output.isEmpty ? "" : "\n\(output)")
        case .startFailed(let reason, let log, let tail):
            "PostgreSQL did not start: \(reason); its log is \(log)" + (tail.isEmpty ? "" : " and ends in\n\(tail)")
        case .startTimedOut(let after, let log, let tail):
            "PostgreSQL was not ready after \(after); its log is \(log)" + (tail.isEmpty ? "" : " and ends in\n\(tail)")
        case .stopped: "the embedded PostgreSQL was stopped before it was up"
        }
    }
}
