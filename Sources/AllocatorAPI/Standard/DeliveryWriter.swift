//
// DeliveryWriter.swift: empties the queue of first fetches into the ledger, over a session of its own.
//

import AllocationLedger
import Logging
import Metrics
import PostgresDriver
import ServiceLifecycle

/// Writes once a second, a thousand rows at a time. While the ledger takes none, it tries again and the queue grows up to
/// its bound; what is lost beyond that is counted and told.
package actor DeliveryWriter: Service {
    private let log: DeliveryLog
    private let appender: DeliveryAppender
    private let logger: Logger
    private let recorded = Counter(label: "target_ledger_deliveries_recorded_total")

    /// Taken from the queue and not written yet.
    private var open: ArraySlice<DeliveryNote> = []
    private var fault: String?

    private static let interval = Duration.seconds(1)
    private static let pauseMax = Duration.seconds(30)
    private static let batch = 1000
    /// What a process that stops waits for a database that does not answer.
    private static let lastPatience = Duration.seconds(2)

    package init(_ log: DeliveryLog, replica: UUID128, pool: PostgresPool, logger: Logger) {
        self.log = log
        appender = DeliveryAppender(replica: replica, pool: pool)
        self.logger = logger
    }

    /// Writes until it is asked to shut down, and then what is left, as far as the ledger takes it.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await self.writeUntilCancelled() }
        // Unstructured: this task may be cancelled by now, and what was fetched last must still reach the database.
        await Task { await self.finish() }.value
    }

    private func writeUntilCancelled() async {
        var pause = Self.interval
        while (try? await Task.sleep(for: pause)) != nil {
            pause = await write() ? Self.interval : min(pause * 2, Self.pauseMax)
        }
    }

    private func finish() async {
        _ = await write(within: Self.lastPatience)
        let left = open.count + log.take().count
        if left > 0 { log.lose(left) }
        tellOfLosses()
    }

    /// - Returns: False when it should be tried again later.
    private func write(within patience: Duration = .seconds(30)) async -> Bool {
        defer { tellOfLosses() }
        while true {
            if open.isEmpty { open = log.take()[...] }
            let batch = open.prefix(Self.batch)
            guard !batch.isEmpty else { return true }
            do {
                recorded.increment(by: try await appender.append(Array(batch), deadline: .now + patience))
            } catch let error as LedgerError where !error.isRetryable {
                log.lose(batch.count)
                logger.error(
                    "first fetches cannot be recorded and are lost",
                    metadata: ["count": "\(batch.count)", "error": "\(error)"])
            } catch {
                if fault != "\(error)", !(error is CancellationError) {
                    logger.warning(
                        "first fetches cannot be recorded; trying again", metadata: ["error": "\(error)"])
                }
                fault = "\(error)"
                return false
            }
            open = open.dropFirst(batch.count)
            fault = nil
            log.finish(batch.count)
        }
    }

    private func tellOfLosses() {
        let lost = log.takeLost()
        guard lost > 0 else { return }
        logger.error(
            "first fetches of changed answers are lost; what depends on them is unknown in the history",
            metadata: ["count": "\(lost)"])
    }
}
