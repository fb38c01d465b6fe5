//
// FileWatcher+Follow.swift: one file, read again whenever it may have changed.
//

extension FileWatcher {
    /// Calls `body` at once and whenever the file may have changed: written, replaced, deleted, or a link on the way to
    /// it renamed. Never while a writer has it open.
    ///
    /// - Parameters:
    ///   - path: The file; it need not exist.
    ///   - interval: After which time `body` is called although nothing seems to have happened.
    /// - Returns: When the task is cancelled.
    package func follow(_ path: String, interval: Duration, _ body: () async -> Void) async {
        let subscription = subscribe()
        while !Task.isCancelled {
            // Anew each time: what the path leads through may be something else by now.
            var interest = FileInterest()
            interest.add(path)
            subscription.set(interest)
            if !subscription.isBusy(path) { await body() }
            guard (try? await subscription.changed.wait(upTo: interval)) != nil else { return }
        }
    }
}
