//
// FaultVerdict.swift: what has to be true when the faults of a phase have ended.
//

import Foundation
import Testing

/// Compares all that was served with all that is recorded.
@ProcessTests enum FaultVerdict {
    static func judge(_ cluster: FaultCluster) throws {
        waitForStatements(cluster)
        cluster.expectHeadEverywhere()
        for poller in cluster.pollers { poller.stop() }
        let server = cluster.primary
        let history = try RecordedHistory.read(server, job: FaultCluster.job, collectors: Churn.collectors)
        let comparison = cluster.checker.with { $0.compare(with: history) }
        let checker = cluster.checker.with(\.self)
        print(
            """
            \(checker.answers) answers, \(comparison.compared) bodies as recorded at \(history.revisions.count) revisions \
            with \(history.events.count) events; from a journal \(checker.journalled) answers, \(comparison.recovered) bodies \
            recorded later, \(comparison.stated) stated; \(comparison.lost.count) revisions served and lost
            """)
        if checker.violationCount > 0 { try keepEvidence(cluster, server) }
        #expect(checker.violations.isEmpty, "\(checker.violationCount) violations")
        #expect(comparison.compared > 100)
        // Which of the two happens depends on who leads first when the database is back.
        if cluster.phase.outage == .proceed { #expect(comparison.recovered + comparison.stated > 0) }
        #expect(try RecordedHistory.brokenRules(server).isEmpty)
        let verified = try cluster.replicas[0].run(["verify"])
        #expect(verified.status == 0, "\(verified.output.suffix(3000)) \(verified.errors.suffix(1000))")
        let independent = try IndependentVerifier.run(server.url())
        #expect(independent.status == 0, "\(independent.output.suffix(3000))")
    }

    /// Writes down what explains a violation: what each replica said, and what was recorded.
    private static func keepEvidence(_ cluster: FaultCluster, _ server: PlainServer) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "faults-evidence-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (index, replica) in cluster.replicas.enumerated() {
            try replica.log.write(to: folder.appending(path: "replica-\(index).log"), atomically: true, encoding: .utf8)
        }
        for table in ["term", "revision", "gap", "target_event"] {
            let rows = try server.sql("SELECT * FROM ledger.\(table) ORDER BY 1, 2")
            let text = rows.map { $0.joined(separator: "\t") }.joined(separator: "\n")
            try text.write(to: folder.appending(path: table), atomically: true, encoding: .utf8)
        }
        print("what explains the violations is in \(folder.path())")
    }

    /// A journal becomes revisions or is stated, once its replica is with the others again.
    private static func waitForStatements(_ cluster: FaultCluster) {
        let deadline = Date.now.addingTimeInterval(30)
        func left() -> [String] {
            cluster.disks.map { $0.folder + "/state/journal" }.filter { FileManager.default.fileExists(atPath: $0) }
        }
        while !left().isEmpty, Date.now < deadline { usleep(50_000) }
        #expect(left().isEmpty, "journals that nobody took in: \(cluster.description)")
    }
}
