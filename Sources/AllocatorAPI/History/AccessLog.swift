//
// AccessLog.swift: collects who read the history, and writes it a little later, so that no reader waits for it.
//

import AllocationLedger
import Logging
import Metrics
import PostgresDriver
import ServiceLifecycle
import Synchronization

/// Reads of the history API on their way into the ledger.
package final class AccessLog: Service {
    private let pool: PostgresPool
    private let logger: Logger
    private let waiting = Mutex<[AccessRecord]>([])
    private let dropped = Counter(label: "target_ledger_access_records_dropped_total")

    /// More than any person reads while the database is away; what comes on top is counted and let go.
    private static let waitingMax = 10_000
    private static let interval = Duration.seconds(1)

    package init(_ pool: PostgresPool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    func note(who: String, route: String, parameters: String, status: Int) {
        let record = AccessRecord(
            at: .now(), who: who, route: route, parameters: parameters, status: Int16(clamping: status))
        let isFull = waiting.withLock { waiting in
            guard waiting.count < Self.waitingMax else { return true }
            waiting.append(record)
            return false
        }
        if isFull { dropped.increment() }
    }

    /// Writes until it is asked to shut down, and then once more.
    package func run() async throws {
        try? await cancelWhenGracefulShutdown { [self] in
            while true {
                try await Task.sleep(for: Self.interval)
                await flush()
            }
        }
        await flush()
    }

    private func flush() async {
        let records = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        guard !records.isEmpty else { return }
        do {
            try await HistoryReader.append(records, to: pool)
        } catch {
            logger.warning("reads of the history cannot be recorded; trying again", metadata: ["error": "\(error)"])
            waiting.withLock { $0 = Array((records + $0).prefix(Self.waitingMax)) }
        }
    }
}
