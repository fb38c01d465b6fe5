//
// ServerUser.swift: whom the server runs as. PostgreSQL refuses root, so root gives the cluster to another user.
//

import CSys
import Glibc

struct ServerUser: Sendable, Hashable {
    let uid: uid_t
    let gid: gid_t
    private let groups: [gid_t]
    /// nil where the system knows no name for the uid.
    let name: String?
    /// Whether this is another user than the one that runs this process.
    let isOther: Bool

    /// Who gets a new cluster when root makes it. Debian's package makes the first.
    static let candidates = ["postgres", "nobody"]

    /// - Parameter owner: Who owns the cluster's folder already, if it is there.
    static func choose(owner: uid_t?) throws(EmbeddedPostgresError) -> ServerUser {
        guard geteuid() == 0 else { return ServerUser(uid: geteuid(), gid: getegid(), name: name(of: geteuid())) }
        if let owner, owner != 0 { return ServerUser(other: owner) }
        for candidate in candidates {
            if let entry = getpwnam(candidate) { return ServerUser(other: entry.pointee.pw_uid) }
        }
        throw .noUnprivilegedUser(tried: candidates)
    }

    /// For messages.
    static func describe(_ uid: uid_t) -> String { name(of: uid) ?? "uid \(uid)" }

    var description: String { Self.describe(uid) }

    /// Lends the form that CSys takes.
    func withIdentity<T>(_ body: (inout csys_identity) -> T) -> T {
        groups.withUnsafeBufferPointer { groups in
            var identity = csys_identity(
                changes: isOther, uid: uid, gid: gid, groups: groups.baseAddress, group_count: groups.count)
            return body(&identity)
        }
    }

    /// Whether the user may do this with the path, access lists and all.
    func mayAccess(_ path: String, _ mode: Int32) -> Bool {
        withIdentity { csys_access_as(path, mode, &$0) == 0 }
    }

    private init(uid: uid_t, gid: gid_t, name: String?) {
        self.uid = uid
        self.gid = gid
        self.name = name
        groups = []
        isOther = false
    }

    private init(other uid: uid_t) {
        self.uid = uid
        isOther = true
        guard let entry = getpwuid(uid) else {
            name = nil
            gid = gid_t(uid)
            groups = [gid_t(uid)]
            return
        }
        name = String(cString: entry.pointee.pw_name)
        gid = entry.pointee.pw_gid
        var count: Int32 = 64
        var found = [gid_t](repeating: 0, count: Int(count))
        // More groups than this are of no use to a database server.
        groups = getgrouplist(name, gid, &found, &count) >= 0 ? Array(found.prefix(Int(count))) : [gid]
    }

    private static func name(of uid: uid_t) -> String? {
        getpwuid(uid).map { String(cString: $0.pointee.pw_name) }
    }
}
