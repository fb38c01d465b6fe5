//
// ServerBinaries.swift: finds the server programs, and picks those that fit the cluster.
//

import Foundation
import Glibc

/// A folder with `postgres` and `initdb` of one version.
struct ServerBinaries: Sendable, Hashable {
    let folder: String
    let majorVersion: Int

    var postgres: String { folder + "/postgres" }
    var initdb: String { folder + "/initdb" }

    /// - Parameters:
    ///   - configured: The only folder looked at, if given.
    ///   - clusterVersion: The major version that made the cluster; nil for a new one.
    static func find(
        configured: String?, clusterVersion: Int?, cluster: String
    ) throws(EmbeddedPostgresError) -> ServerBinaries {
        let folders = configured.map { [$0] } ?? standardFolders()
        let found = folders.compactMap(ServerBinaries.init(folder:))
        return try choose(among: found, clusterVersion: clusterVersion, cluster: cluster, searched: folders)
    }

    /// The cluster's own version, else the newest.
    static func choose(
        among found: [ServerBinaries], clusterVersion: Int?, cluster: String, searched: [String]
    ) throws(EmbeddedPostgresError) -> ServerBinaries {
        guard let newest = found.max(by: { $0.majorVersion < $1.majorVersion }) else {
            throw .binariesMissing(searched: searched)
        }
        guard newest.majorVersion >= EmbeddedPostgresConfiguration.oldestMajorVersion else {
            throw .serverTooOld(folder: newest.folder, majorVersion: newest.majorVersion)
        }
        guard let clusterVersion else { return newest }
        guard let same = found.first(where: { $0.majorVersion == clusterVersion }) else {
            throw .wrongMajorVersion(
                folder: cluster, found: clusterVersion, servers: Set(found.map(\.majorVersion)).sorted())
        }
        guard clusterVersion >= EmbeddedPostgresConfiguration.oldestMajorVersion else {
            throw .serverTooOld(folder: same.folder, majorVersion: clusterVersion)
        }
        return same
    }

    /// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
    static func majorVersion(in text: String) -> Int? {
        guard let words = text.split(separator: "\n").first?.split(separator: " "),
            let mark = words.firstIndex(of: "(PostgreSQL)"), mark + 1 < words.endIndex
        else { return nil }
        return Int(words[mark + 1].prefix(while: \.isNumber))
    }

    init(folder: String, majorVersion: Int) {
        self.folder = folder
        self.majorVersion = majorVersion
    }

    /// nil when the folder lacks one of the programs, or the server does not tell its version.
    private init?(folder: String) {
        guard access(folder + "/postgres", X_OK) == 0, access(folder + "/initdb", X_OK) == 0,
            let text = ChildProcess.output(of: folder + "/postgres", ["-V"]),
            let version = Self.majorVersion(in: text)
        else { return nil }
        self.init(folder: folder, majorVersion: version)
    }

    /// Debian's folders for each version, then PATH.
    private static func standardFolders() -> [String] {
        let base = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []
        var folders = versions.sorted().map { "\(base)/\($0)/bin" }
        if folders.isEmpty { folders = ["\(base)/*/bin"] }
        for folder in (getenv("PATH").map { String(cString: $0) } ?? "").split(separator: ":") {
            if !folders.contains(String(folder)) { folders.append(String(folder)) }
        }
        return folders
    }
}
