//
// ServerBinariesTests.swift
//

import Foundation
import PostgresDriver
import TestSupport
import Testing

@testable import EmbeddedPostgres

/// Goal: the server that fits the cluster is chosen, else the newest.
@Suite struct ServerBinariesTests {
    private func choose(_ versions: [Int], cluster: Int?) throws(EmbeddedPostgresError) -> Int {
        try ServerBinaries.choose(
            among: versions.map { ServerBinaries(folder: "/\($0)", majorVersion: $0) }, clusterVersion: cluster,
            cluster: "/data", searched: ["/a"]
        ).majorVersion
    }

    @Test("The newest for a new cluster, its own for an old one")
    func choosing() throws {
        #expect(try choose([14, 16, 15], cluster: nil) == 16)
        #expect(try choose([14, 16, 15], cluster: 14) == 14)
    }

    @Test("What does not fit is told apart")
    func refusing() {
        #expect(throws: EmbeddedPostgresError.binariesMissing(searched: ["/a"])) { try choose([], cluster: 15) }
        #expect(throws: EmbeddedPostgresError.serverTooOld(folder: "/13", majorVersion: 13)) {
            try choose([12, 13], cluster: nil)
        }
        #expect(throws: EmbeddedPostgresError.serverTooOld(folder: "/13", majorVersion: 13)) {
            try choose([13, 16], cluster: 13)
        }
        #expect(throws: EmbeddedPostgresError.wrongMajorVersion(folder: "/data", found: 15, servers: [14, 16])) {
            try choose([16, 14], cluster: 15)
        }
    }

    @Test(
        "The version is read from what the server prints",
        arguments: [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", 15), ("postgres (PostgreSQL) 18beta1\n", 18),
            ("postgres (PostgreSQL) 9.6.24\n", 9), ("postgres 15\n", nil), ("", nil),
        ] as [(String, Int?)]
    )
    func parsing(text: String, version: Int?) {
        #expect(ServerBinaries.majorVersion(in: text) == version)
    }

    private static let wanted = ProcessInfo.processInfo.environment["TARGET_LEDGER_TEST_SERVER_VERSION"]

    @Test("The server of these tests is the one that was asked for", .enabled(if: wanted != nil))
    func tested() async throws {
        let version = try await TestPostgres.withConnection { connection in
            try await connection.query("SELECT current_setting('server_version_num')::integer / 10000").first?
                .decode(0, as: Int32.self)
        }
        #expect(version.map { "\($0)" } == Self.wanted)
    }
}
