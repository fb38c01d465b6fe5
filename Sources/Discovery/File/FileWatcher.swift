//
// FileWatcher.swift: the process's one inotify instance, shared by every section and collector file.
//
// One, because the kernel gives a user 128 of them by default, and a discoverer that comes too late would go without
// (Prometheus then drops the section in silence). Watches are on directories, so that renaming over a file, a link that
// is swapped and a file made later are seen. A file that is being written is left alone until its writer closes it.
//

import Dispatch
import Glibc
import Logging
import Metrics
import Synchronization

/// Tells subscribers that files they read may have changed.
///
/// Never the only way to learn of a change: an interval stands behind it, since network file systems and full watch
/// tables give no events.
package final class FileWatcher: Sendable {
    private struct Subscriber {
        var interest = FileInterest()
        let signal: AsyncSignal
        /// A settled change was seen and the signal will be raised.
        var isDue = false
        /// Files that a writer has open, by path free of links, and when it last wrote.
        var busy: [String: ContinuousClock.Instant] = [:]
    }

    // @unchecked: Dispatch's sources may be cancelled from any thread.
    private struct EventSource: @unchecked Sendable {
        let source: any DispatchSourceRead
    }

    private struct State {
        var descriptor: Int32 = -1
        var subscribers: [Int: Subscriber] = [:]
        var nextSubscriber = 0
        var watches: [String: Int32] = [:]
        var directories: [Int32: String] = [:]
    }

    /// Changes that come together are told together; a reader that starts at once would start again at once.
    private static let gathering = DispatchTimeInterval.milliseconds(20)
    private static let mask = UInt32(
        IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
    )

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "file-watcher")
    private let source = Mutex<EventSource?>(nil)
    private let metrics = DiscoveryMetrics()
    private let quietAfter: Duration
    private let logger: Logger

    /// - Parameter quietAfter: A writer that keeps a file open and has not written for this long counts as done.
    package init(quietAfter: Duration = .seconds(1), logger: Logger) {
        self.quietAfter = quietAfter
        self.logger = logger
        open()
    }

    deinit {
        // The source's cancel handler closes the descriptor.
        source.withLock { $0 }?.source.cancel()
    }

    private func open() {
        let descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0 else {
            complain("no inotify instance; changes of files are seen at the refresh interval only", errno)
            return
        }
        state.withLock { $0.descriptor = descriptor }
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler { [weak self] in self?.readEvents(descriptor) }
        source.setCancelHandler { close(descriptor) }
        source.resume()
        let made = EventSource(source: source)
        self.source.withLock { $0 = made }
    }

    private func complain(_ message: Logger.Message, _ code: Int32, _ path: String? = nil) {
        metrics.fileWatcherErrors.increment()
        var metadata: Logger.Metadata = ["error": "\(String(cString: strerror(code)))"]
        if let path { metadata["path"] = "\(path)" }
        logger.error(message, metadata: metadata)
    }

    // MARK: Subscribing

    /// Begins to listen. Ends when the subscription is let go.
    func subscribe() -> FileSubscription {
        let signal = AsyncSignal()
        let number = state.withLock { state in
            state.nextSubscriber += 1
            state.subscribers[state.nextSubscriber] = Subscriber(signal: signal)
            return state.nextSubscriber
        }
        return FileSubscription(watcher: self, number: number, signal: signal)
    }

    fileprivate func unsubscribe(_ number: Int) {
        state.withLock { state in
            state.subscribers[number] = nil
            dropUnused(&state)
        }
    }

    /// Listens to exactly this. Watches are in place when it returns, so what is read afterwards is read with them.
    fileprivate func set(_ interest: FileInterest, of number: Int) {
        let failed = state.withLock { state -> [(String, Int32)] in
            guard let known = state.subscribers[number], state.descriptor >= 0 else { return [] }
            // Also when nothing differs: a directory may have been replaced by another of its name.
            var failed: [(String, Int32)] = []
            for directory in interest.directories {
                let watch = inotify_add_watch(state.descriptor, directory, Self.mask | UInt32(IN_ONLYDIR))
                if watch < 0 {
                    if errno != ENOENT && errno != ENOTDIR { failed.append((directory, errno)) }
                    continue
                }
                if let old = state.watches[directory], old != watch { state.directories[old] = nil }
                state.watches[directory] = watch
                state.directories[watch] = directory
            }
            guard known.interest != interest else { return failed }
            state.subscribers[number]?.interest = interest
            dropUnused(&state)
            return failed
        }
        for (directory, code) in failed {
            complain(
                "a directory cannot be watched; its changes are seen at the refresh interval only", code, directory)
        }
    }

    private func dropUnused(_ state: inout State) {
        let used = state.subscribers.values.reduce(into: Set<String>()) { $0.formUnion($1.interest.directories) }
        for (directory, watch) in state.watches where !used.contains(directory) {
            inotify_rm_watch(state.descriptor, watch)
            state.watches[directory] = nil
            state.directories[watch] = nil
        }
    }

    fileprivate func isBusy(_ path: String, for number: Int) -> Bool {
        state.withLock { $0.subscribers[number]?.busy[path] != nil }
    }

    // MARK: Events

    private func readEvents(_ descriptor: Int32) {
        withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 8) { buffer in
            while true {
                let count = read(descriptor, buffer.baseAddress, buffer.count)
                guard count > 0 else { return }
                var offset = 0
                while offset < count {
                    let event = buffer.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                    let start = offset + MemoryLayout<inotify_event>.size
                    let name = buffer[start..<start + Int(event.len)].prefix { $0 != 0 }
                    handle(event.wd, event.mask, String(decoding: name, as: UTF8.self))
                    offset = start + Int(event.len)
                }
            }
        }
    }

    private func handle(_ watch: Int32, _ mask: UInt32, _ name: String) {
        func has(_ flag: Int) -> Bool { mask & UInt32(flag) != 0 }
        guard !has(Int(IN_Q_OVERFLOW)) else {
            logger.warning("file events were lost; all files are looked at again")
            return settle { _ in true }
        }
        guard let directory = state.withLock({ $0.directories[watch] }) else { return }
        guard !has(Int(IN_IGNORED)), !has(Int(IN_DELETE_SELF)), !has(Int(IN_MOVE_SELF)) else {
            forget(watch, directory, isRemoved: has(Int(IN_IGNORED)))
            return settle { $0.interest.names[directory] != nil }
        }
        let path = directory == "/" ? "/\(name)" : "\(directory)/\(name)"
        let isUnsettled =
            !has(Int(IN_ISDIR)) && (has(Int(IN_MODIFY)) || (has(Int(IN_CREATE)) && isBeingMade(path)))
        if isUnsettled { return markBusy(path, directory, name) }
        state.withLock { state in
            for number in state.subscribers.keys { state.subscribers[number]?.busy[path] = nil }
        }
        settle { $0.interest.covers(directory, name) }
    }

    /// The directory is gone or elsewhere; whoever reads from it finds out what to watch now.
    private func forget(_ watch: Int32, _ directory: String, isRemoved: Bool) {
        state.withLock { state in
            if !isRemoved { inotify_rm_watch(state.descriptor, watch) }
            state.directories[watch] = nil
            if state.watches[directory] == watch { state.watches[directory] = nil }
        }
    }

    /// Whether a file that was created will be closed by whoever writes it; links have no writer.
    private func isBeingMade(_ path: String) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0 else { return false }
        return status.st_mode & S_IFMT == S_IFREG && status.st_nlink == 1
    }

    private func markBusy(_ path: String, _ directory: String, _ name: String) {
        let now = ContinuousClock.now
        let isFirst = state.withLock { state -> Bool in
            var isFirst = false
            for (number, subscriber) in state.subscribers where subscriber.interest.covers(directory, name) {
                isFirst = isFirst || subscriber.busy[path] == nil
                state.subscribers[number]?.busy[path] = now
            }
            return isFirst
        }
        if isFirst { watchQuiet(path, directory, name) }
    }

    /// Looks after a while whether the writer went quiet without closing the file.
    private func watchQuiet(_ path: String, _ directory: String, _ name: String) {
        queue.asyncAfter(deadline: .now() + .milliseconds(Int(quietAfter / .milliseconds(1)))) { [weak self] in
            guard let self else { return }
            let last = state.withLock { $0.subscribers.values.compactMap { $0.busy[path] }.max() }
            guard let last else { return }
            if last.duration(to: .now) < quietAfter { return watchQuiet(path, directory, name) }
            state.withLock { state in
                for number in state.subscribers.keys { state.subscribers[number]?.busy[path] = nil }
            }
            settle { $0.interest.covers(directory, name) }
        }
    }

    /// Raises the signals of the subscribers concerned, in a moment.
    private func settle(_ concerns: (Subscriber) -> Bool) {
        let isFirst = state.withLock { state -> Bool in
            let isIdle = !state.subscribers.values.contains(where: \.isDue)
            var isAny = false
            for (number, subscriber) in state.subscribers where concerns(subscriber) {
                state.subscribers[number]?.isDue = true
                isAny = true
            }
            return isAny && isIdle
        }
        guard isFirst else { return }
        queue.asyncAfter(deadline: .now() + Self.gathering) { [weak self] in
            guard let self else { return }
            let due = state.withLock { state -> [AsyncSignal] in
                var due: [AsyncSignal] = []
                for (number, subscriber) in state.subscribers where subscriber.isDue {
                    state.subscribers[number]?.isDue = false
                    due.append(subscriber.signal)
                }
                return due
            }
            for signal in due { signal.raise() }
        }
    }
}

/// One reader's part of the watch.
final class FileSubscription: Sendable {
    private let watcher: FileWatcher
    private let number: Int
    /// Raised when something that the interest covers has changed and its writer is done.
    let changed: AsyncSignal

    fileprivate init(watcher: FileWatcher, number: Int, signal: AsyncSignal) {
        self.watcher = watcher
        self.number = number
        changed = signal
    }

    deinit { watcher.unsubscribe(number) }

    func set(_ interest: FileInterest) { watcher.set(interest, of: number) }

    /// Whether a writer has this file open and has not closed it yet.
    func isBusy(_ path: String) -> Bool { realPath(path).map { watcher.isBusy($0, for: number) } ?? false }
}
