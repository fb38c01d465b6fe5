//
// PageReading.swift: a page on its way: who waits for it may give up waiting without giving up the page.
//

/// The reading of one page.
struct PageReading: Sendable {
    /// How long an answer waits for the whole page before it begins without it.
    private static let patience = Duration.milliseconds(150)

    private let task: Task<Page, any Error>
    /// Ends with the reading. Waiting for it can be cancelled, waiting for the task cannot.
    private let end: AsyncStream<Never>
    /// Ends when there will be a page and no refusal.
    private let settled: AsyncStream<Never>

    /// - Parameter read: Calls what it is given when it has found nothing to refuse; before that no answer begins.
    init(_ read: @escaping @Sendable (_ settle: @escaping @Sendable () -> Void) async throws -> Page) {
        let (stream, continuation) = AsyncStream<Never>.makeStream()
        end = stream
        let (settled, settling) = AsyncStream<Never>.makeStream()
        self.settled = settled
        // Unstructured, because it goes on behind the answer's head, and the body that is written then takes it up. The
        // read's own deadline ends it where nobody does.
        task = Task {
            defer { continuation.finish() }
            return try await read { settling.finish() }
        }
    }

    /// The page, if it is there soon or may still be refused; nil: it will be there later. To be asked once.
    ///
    /// - Throws: What reading ended with.
    func soon(within patience: Duration = Self.patience) async throws -> Page? {
        let isThere = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await _ in end {}
                return true
            }
            group.addTask {
                try? await Task.sleep(for: patience)
                for await _ in settled {}
                return false
            }
            let first = await group.next()
            group.cancelAll()
            return first == true
        }
        return isThere ? try await finished() : nil
    }

    /// The page, whenever it is there.
    func finished() async throws -> Page {
        try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
