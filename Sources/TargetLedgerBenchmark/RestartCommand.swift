//
// RestartCommand.swift: how long a restart takes to its first right answer, beside COPY TO of the rows it reads.
//

import AllocationCore
import AllocationLedger
import AllocatorAPI
import AllocatorRuntime
import ArgumentParser
import NIOCore
import PostgresDriver
import Telemetry

/// Reads a recorded allocation back and answers from it.
struct RestartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "From the ledger to the first right answer, beside psql \\copy TO of the rows that it reads.")

    @Option(help: "Numbers of targets.")
    var targets: [Int] = [100_000, 1_000_000]

    @Option(help: "Runs; the median is shown.")
    var runs = 3

    @Option(help: "Number of collectors.")
    var collectors = 10

    private static let path = "/jobs/job-0/targets?collector_id=collector-0"
    /// What a load reads.
    private static let tables = [
        "current_target", "target", "label_set", "label", "job", "collector", "current_collector",
    ]

    private struct Run {
        var load: Double
        var snapshot: Double
        var answer: Double
        var copyText: Double
        var copyBinary: Double
        var total: Double { load + snapshot + answer }
    }

    func run() async throws {
        var table = FigureTable(
            "targets", "first right answer", "of it load", "snapshot", "COPY TO (text)", "restart / COPY TO",
            "COPY TO (binary)", "restart / COPY TO (binary)")
        try await BenchmarkCluster.with { cluster in
            for count in targets {
                let all = try await cluster.withLedger("restart_\(count)") { try await measure(count, $0) }
                table.add(
                    "\(count)", secondsText(all.map(\.total).median), secondsText(all.map(\.load).median),
                    secondsText(all.map(\.snapshot).median), secondsText(all.map(\.copyText).median),
                    ratioText(all.map { $0.total / $0.copyText }.median),
                    secondsText(all.map(\.copyBinary).median),
                    ratioText(all.map { $0.total / $0.copyBinary }.median))
            }
        }
        output(
            """
            Restart: a new session, the current state of targets of 41 labels read, the snapshot built, and \
            \(Self.path)
            answered byte for byte as before. COPY TO: psql's \\copy to /dev/null of all rows of the tables that this \
            reads
            (\(Self.tables.joined(separator: ", "))), as they lie. Median of \(runs) runs.

            """)
        table.write()
    }

    private func measure(_ count: Int, _ ledger: BenchmarkLedger) async throws -> [Run] {
        let expected = try await recordedAnswer(count, ledger)
        func copy(_ format: String) async throws -> Double {
            try await ledger.psql(
                Self.tables.map { "\\copy (SELECT * FROM ledger.\($0)) TO '/dev/null' (FORMAT \(format))" })
        }
        // The first reader of a row marks it as committed; neither side shall pay for that.
        try await ledger.script("VACUUM ANALYZE")
        var all: [Run] = []
        for _ in 0..<runs {
            let (text, binary) = (try await copy("text"), try await copy("binary"))
            var run = try await restart(ledger, expected)
            (run.copyText, run.copyBinary) = (text, binary)
            all.append(run)
        }
        return all
    }

    /// Records an allocation and answers from it.
    private func recordedAnswer(_ count: Int, _ ledger: BenchmarkLedger) async throws -> ByteBuffer {
        let state = try await ledger.fill(targets: count, collectors: collectors).allocation.state
        let head = LedgerHead(revision: Revision(2), epoch: 1, at: .now(), digest: .zero)
        return try answer(AllocationSnapshot(state: state, head: head, scrapeConfigs: Self.document))
    }

    private func restart(_ ledger: BenchmarkLedger, _ expected: ByteBuffer) async throws -> Run {
        let start = ContinuousClock.now
        let table = LabelTable()
        let writer = ledger.writer(table)
        let loaded = try await writer.load(
            into: AllocationLoader(table: table, strategy: GeneratedAllocation.strategy))
        let isLoaded = ContinuousClock.now
        guard let head = loaded.head else { throw ValidationError("the ledger is empty") }
        let snapshot = AllocationSnapshot(state: loaded.state, head: head, scrapeConfigs: Self.document)
        let isBuilt = ContinuousClock.now
        let body = try answer(snapshot)
        let isAnswered = ContinuousClock.now
        precondition(body == expected, "the answer after the restart is another one")
        await writer.close()
        return Run(
            load: start.duration(to: isLoaded).seconds, snapshot: isLoaded.duration(to: isBuilt).seconds,
            answer: isBuilt.duration(to: isAnswered).seconds, copyText: 0, copyBinary: 0)
    }

    private static let document = ScrapeConfigDocument(redacted: Array("{}".utf8), clear: nil)

    private func answer(_ snapshot: AllocationSnapshot) throws -> ByteBuffer {
        let publisher = SnapshotPublisher()
        publisher.publish(snapshot)
        let responder = StandardResponder(
            publisher: publisher, metrics: MetricsRegistry(), cache: AnswerCache(bytesMax: 1 << 20),
            showsSecrets: false)
        guard let response = responder.respond(to: StandardRequest(Self.path), for: .task), response.status == 200
        else { throw ValidationError("\(Self.path) is not answered") }
        switch response.body {
        case .bytes(let bytes) where bytes.readableBytes > 100: return bytes
        case .pieces(let pieces): return pieces.rendered()
        default: throw ValidationError("\(Self.path) is answered with nothing")
        }
    }
}
