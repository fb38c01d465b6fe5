//
// ClusterMaker.swift: makes a cluster with its database, all or nothing.
//
// Everything happens in data.tmp, which becomes data by one rename at the end: a crash half-way leaves nothing that
// looks like a cluster. Nothing is brought to the disk before that, so it is done once, for all files together; file
// by file, as initdb does it, takes as long as all the rest.
//

import CSys
import Glibc

struct ClusterMaker {
    let folder: StateFolder
    let configuration: EmbeddedPostgresConfiguration
    /// Readable once the making is to be given up.
    let interrupt: Int32

    /// The major version that made the cluster; nil when there is none yet.
    static func version(of folder: StateFolder) throws(EmbeddedPostgresError) -> Int? {
        if let text = Files.text(folder.data + "/PG_VERSION") {
            guard let version = Int(text.prefix(while: \.isNumber)) else { throw .notACluster(folder: folder.data) }
            return version
        }
        guard try Files.status(folder.data) != nil, !Files.isEmptyFolder(folder.data) else { return nil }
        throw .notACluster(folder: folder.data)
    }

    func make(with binaries: ServerBinaries) throws(EmbeddedPostgresError) {
        guard folder.user.name != nil else { throw .userWithoutName(uid: folder.user.uid) }
        let free = Files.freeBytes(folder.path)
        guard free >= configuration.freeBytesMin else { throw .diskFull(path: folder.path, freeBytes: free) }
        try Files.removeTree(folder.unfinishedData)
        let isDurable = configuration.extraSettings["fsync"] != "off"
        let arguments = [
            "-D", folder.unfinishedData, "-U", EmbeddedPostgresConfiguration.user, "-A", "trust", "-E", "UTF8",
            "--locale=C.UTF-8", "--data-checksums", "--no-instructions", "--no-sync",
        ]
        try run(binaries.initdb, arguments, input: "", what: "initdb")
        // Alone, without a socket: so the database is there before anyone can connect.
        try run(
            binaries.postgres,
            [
                "--single", "-F", "-D", folder.unfinishedData, "-c", "exit_on_error=on", "-c", "log_checkpoints=off",
                "template1",
            ],
            input: "CREATE DATABASE \(EmbeddedPostgresConfiguration.database);\n", what: "making the database")
        if isDurable { try Files.synchronizeAll(below: folder.unfinishedData) }
        guard rename(folder.unfinishedData, folder.data) == 0 else {
            throw .system(what: "rename", path: folder.unfinishedData, errno: errno)
        }
        if isDurable { Files.synchronize(folder: folder.path) }
    }

    private func run(
        _ path: String, _ arguments: [String], input: String, what: String
    ) throws(EmbeddedPostgresError) {
        let log = try folder.openLog()
        defer { close(log) }
        let before = Files.size(folder.log)
        var pipe: [Int32] = [-1, -1]
        let failure = csys_pipe(&pipe)
        guard failure == 0 else { throw .system(what: "make a pipe for", path: path, errno: failure) }
        // Far less than a pipe holds, so this does not wait for a reader.
        _ = Array(input.utf8).withUnsafeBytes { write(pipe[1], $0.baseAddress, $0.count) }
        close(pipe[1])
        defer { close(pipe[0]) }
        let child = try ChildProcess.start(
            .init(
                path: path, arguments: arguments, folder: folder.path, user: folder.user, standardInput: pipe[0],
                standardOutput: log, standardError: log, parentDeathSignal: SIGTERM))
        let status = child.wait(until: .now + configuration.startTimeout, interrupt: interrupt)
        if status == .exited(0) { return }
        if status == nil {
            child.killGroup(SIGKILL)
            _ = child.wait(until: nil)
        }
        let free = Files.freeBytes(folder.path)
        let output = LogTail(path: folder.log, from: before).text
        try? Files.removeTree(folder.unfinishedData)
        guard let status else { throw .stopped }
        // A cluster needs more than this to be made, so with less it was the disk.
        guard free >= 24 << 20 else { throw .diskFull(path: folder.path, freeBytes: free) }
        throw .initFailed(reason: "\(what): \(status)", output: output)
    }
}

/// The last lines that the server's log got since some point.
struct LogTail {
    let text: String

    init(path: String, from start: Int64) {
        let bytesMax = 4096
        let from = max(start, Files.size(path) - Int64(bytesMax))
        let lines = (Files.text(path, from: from, bytesMax: bytesMax) ?? "").split(separator: "\n")
        // The first may be cut.
        text = lines.suffix(12).joined(separator: "\n")
    }
}
