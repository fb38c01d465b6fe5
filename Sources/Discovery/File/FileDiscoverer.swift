//
// FileDiscoverer.swift: `file_sd_configs` (spec/prometheus-sd.md 6).
//
// A round looks at every file of the patterns; a file whose status did not change since it was read is not read again,
// except at the interval. A file that cannot be taken keeps what it gave before and fails the round; the others count.
//

import AllocationCore
import Logging
import Metrics
import PrometheusConfig

/// Reads the files of one section, on an executor of its own.
actor FileDiscoverer: Discoverer {
    private struct File {
        var reader: GroupDocumentReader
        var status: FileStatus?
        /// The status may hide a change: the file was written so shortly before it was read.
        var isFresh = false
        var error: FileDiscoveryError?
    }

    /// Limit of one file. A million targets of 20 labels are about 1 GB of JSON; YAML needs some twenty times its size
    /// while it is read.
    static let jsonBytesMax = 2 << 30
    static let yamlBytesMax = 64 << 20
    /// File times advance with the kernel's tick, 10 ms at most.
    private static let freshNanoseconds: Int64 = 20_000_000

    nonisolated let executor: BlockingExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let config: FileSDConfig
    private let interval: Duration
    private let table: LabelTable
    private let subscription: FileSubscription
    private let metrics: DiscoveryMetrics
    private let logger: Logger

    private var files: [String: File] = [:]
    private var isSynchronised = false
    private var lastError: String?

    init(
        _ config: FileSDConfig, table: LabelTable, watcher: FileWatcher, executor: BlockingExecutor,
        metrics: DiscoveryMetrics, logger: Logger
    ) {
        self.config = config
        // A written null is zero and means the default: an interval of zero would never rest.
        interval =
            (config.refreshInterval > .zero ? config.refreshInterval : FileSDConfig.defaultRefreshInterval).duration
        self.table = table
        self.executor = executor
        self.metrics = metrics
        self.logger = logger
        subscription = watcher.subscribe()
    }

    func run(_ deliver: @escaping @Sendable (DiscoveryRound) -> Void) async {
        deliver(refresh(rereads: true))
        var last = ContinuousClock.now
        while !Task.isCancelled {
            let left = max(.zero, interval - last.duration(to: .now))
            guard let isEvent = try? await subscription.changed.wait(upTo: left) else { return }
            if !isEvent { last = .now }
            deliver(refresh(rereads: !isEvent))
        }
    }

    // MARK: One round

    /// - Parameter rereads: Also reads files whose status did not change.
    private func refresh(rereads: Bool) -> DiscoveryRound {
        let started = ContinuousClock.now
        var interest = FileInterest()
        for pattern in config.files { interest.add(pattern) }
        subscription.set(interest)

        var changes: [DocumentChange] = []
        var errors: [FileDiscoveryError] = []
        var found: Set<String> = []
        var isComplete = true
        for pattern in config.files {
            do throws(FileDiscoveryError) {
                for path in try FilePattern(pattern).paths() where found.insert(path).inserted {
                    if let change = read(path, rereads: rereads) { changes.append(change) }
                    if let error = files[path]?.error { errors.append(error) }
                }
            } catch {
                // Which files there are is not known, so none of them counts as deleted.
                isComplete = false
                errors.append(error)
            }
        }
        if isComplete { changes += forgetAll(but: found) }
        if errors.isEmpty { isSynchronised = true }
        note(errors)
        let duration = started.duration(to: .now)
        metrics.fileScanDuration.record(duration)
        return DiscoveryRound(
            changes: changes, outcome: lastError.map { .failure(message: $0) } ?? .success,
            targetCount: files.values.reduce(0) { $0 + $1.reader.targetCount }, duration: duration,
            finishedAt: WallClock.microseconds(), isSynchronised: isSynchronised)
    }

    private func read(_ path: String, rereads: Bool) -> DocumentChange? {
        // Moved out while it is changed, so that its arrays are changed in place.
        var file =
            files.removeValue(forKey: path)
            ?? File(reader: GroupDocumentReader(name: path, originLabel: "__meta_filepath"))
        defer { files[path] = file }
        if !rereads, let known = file.status, !file.isFresh, FileStatus(path) == known { return nil }
        guard !subscription.isBusy(path) else { return nil }
        let isJSON = path.lowercased().hasSuffix(".json")
        do throws(FileDiscoveryError) {
            let bytesMax = isJSON ? Self.jsonBytesMax : Self.yamlBytesMax
            let (change, status) = try FileStatus.withBytes(of: path, bytesMax: bytesMax) {
                [table] (bytes) throws(FileDiscoveryError) -> DocumentChange in
                do throws(GroupSyntaxError) {
                    return try file.reader.read(bytes, isJSON ? .json : .yaml, table: table)
                } catch {
                    throw .malformed(path: path, error)
                }
            }
            file.status = status
            file.isFresh = WallClock.microseconds() * 1000 - status.changedNanoseconds < Self.freshNanoseconds
            file.error = nil
            metrics.fileTaken(path, modifiedSeconds: status.modifiedSeconds)
            return change.isEmpty ? nil : change
        } catch {
            // It went away after it was listed: the next round sees it as deleted.
            guard !error.isMissing else { return nil }
            file.status = nil
            file.error = error
            metrics.fileReadErrors.increment()
            return nil
        }
    }

    private func forgetAll(but found: Set<String>) -> [DocumentChange] {
        var changes: [DocumentChange] = []
        for path in files.keys.sorted() where !found.contains(path) {
            if files[path]?.reader.targetCount != 0 { changes.append(DocumentChange(document: path, isGone: true)) }
            files[path] = nil
            metrics.fileGone(path)
        }
        return changes
    }

    /// Keeps the round's error text, and logs it when it is another than before.
    private func note(_ errors: [FileDiscoveryError]) {
        let text = errors.first.map { first in
            errors.count == 1 ? "\(first)" : "\(first) (and \(errors.count - 1) more files)"
        }
        guard text != lastError else { return }
        lastError = text
        let metadata: Logger.Metadata = ["patterns": "\(config.files.joined(separator: ", "))"]
        if let text {
            logger.error(
                "files of targets cannot be taken; what they gave before stays",
                metadata: metadata.merging(["error": "\(text)"]) { $1 })
        } else {
            logger.notice("files of targets can be taken again", metadata: metadata)
        }
    }
}
