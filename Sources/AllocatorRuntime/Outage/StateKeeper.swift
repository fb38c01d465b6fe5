//
// StateKeeper.swift: keeps the last state on the disk, a little behind what is published.
//
// Writing costs what the whole state costs, so it is done at most every few seconds, and takes a twentieth of the time at
// most; and once more when the process stops.
//

import AllocationLedger
import Logging

/// Follows what is published.
package struct StateKeeper: Sendable {
    private let folder: OutageFolder
    private let publisher: SnapshotPublisher
    private let interval: Duration
    private let keepsTerm: Bool
    private let logger: Logger

    /// - Parameters:
    ///   - interval: Between two writes, at least.
    ///   - keepsTerm: Whether to keep that this process leads, for one that goes on without the database.
    package init(
        folder: OutageFolder, publisher: SnapshotPublisher, interval: Duration = .seconds(5), keepsTerm: Bool = false,
        logger: Logger
    ) {
        self.folder = folder
        self.publisher = publisher
        self.interval = interval
        self.keepsTerm = keepsTerm
        self.logger = logger
    }

    /// Runs until cancelled, and keeps what is there then.
    package func run() async {
        var last: Kept?
        var told = ""
        for await _ in publisher.publications() {
            let started = ContinuousClock.now
            await keep(&last, &told)
            let taken = started.duration(to: .now)
            guard (try? await Task.sleep(for: max(interval, taken * 20))) != nil else { break }
        }
        await keep(&last, &told)
    }

    private struct Kept: Equatable {
        var edition: AllocationSnapshot.Edition
        var term: Int64?
    }

    private func keep(_ last: inout Kept?, _ told: inout String) async {
        // What a journal adds is kept there; the state beside it has to be the one that the journal continues.
        let status = publisher.status
        guard let snapshot = publisher.current, snapshot.journal == nil, status.staleness == nil else { return }
        var term: Int64?
        if keepsTerm, case .leading(let epoch) = status.role { term = epoch }
        let kept = Kept(edition: snapshot.edition, term: term)
        guard kept != last else { return }
        do {
            try await folder.keep(snapshot, ledTerm: term)
            last = kept
            told = ""
        } catch {
            guard told != "\(error)" else { return }
            told = "\(error)"
            logger.warning("the state cannot be kept on the disk", metadata: ["error": "\(error)"])
        }
    }
}
