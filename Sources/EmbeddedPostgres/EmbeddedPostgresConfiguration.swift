//
// EmbeddedPostgresConfiguration.swift: where the cluster lives and how its server is set.
//

package struct EmbeddedPostgresConfiguration: Sendable {
    /// The folder of the whole cluster. It is made when missing, and is no one else's: mode 0700.
    ///
    ///     lock           who owns the folder (flock)
    ///     data/          the cluster, as initdb made it
    ///     socket/        the server's Unix socket, the only way in
    ///     postgres.log   what the server says
    package var dataDirectory: String
    /// The folder of `postgres` and `initdb`; nil searches Debian's folders and PATH.
    package var binariesDirectory: String?
    /// shared_buffers, as PostgreSQL spells it.
    package var sharedBuffers = "64MB"
    /// Server settings that win over ours. Tests: `["fsync": "off"]`.
    package var extraSettings: [String: String] = [:]
    /// How long a start may take, crash recovery included.
    package var startTimeout: Duration = .seconds(300)
    /// Free space that a new cluster needs: 39 MB after initdb, and the log's first segments.
    package var freeBytesMin: UInt64 = 96 << 20

    package init(dataDirectory: String, binariesDirectory: String? = nil) {
        self.dataDirectory = dataDirectory
        self.binariesDirectory = binariesDirectory
    }

    /// Whether a start makes the cluster first.
    package var isToBeMade: Bool { Files.text(dataDirectory + "/data/PG_VERSION") == nil }

    /// The oldest major version that the ledger supports.
    package static let oldestMajorVersion = 14
    /// The database that a new cluster holds.
    package static let database = "target_ledger"
    /// The cluster's one user, a superuser. Whoever may enter the socket's folder is this user: there is no password.
    package static let user = "target_ledger"

    /// Every setting of the server, the extra ones last.
    func settings(socketFolder: String) -> [String: String] {
        let ours = [
            // The socket's folder is the only way in.
            "listen_addresses": "", "unix_socket_directories": socketFolder, "unix_socket_permissions": "0700",
            // No replica reads this cluster.
            "wal_level": "minimal", "max_wal_senders": "0",
            "shared_buffers": sharedBuffers, "huge_pages": "off",
            // The first million targets are a gigabyte and a half of log; a checkpoint in the middle of them costs time
            // and makes the log longer.
            "max_wal_size": "2GB",
            // The ledger's statements are short: compiling them costs more than it gives.
            "jit": "off",
            "logging_collector": "off", "log_destination": "stderr", "log_checkpoints": "off",
            "timezone": "UTC", "log_timezone": "UTC", "cluster_name": "target-ledger",
        ]
        return ours.merging(extraSettings) { $1 }
    }
}
