import AllocationCore
import Discovery
import Foundation
import Logging
import Testing

/// Goal: collectors that join and leave are told at once, and no accident takes them all away.
///
/// Method: a real file under a real watch; each step waits for the set that must follow.
@Suite(.timeLimit(.minutes(1))) struct CollectorWatchTests {
    @Test("A file of names is watched; deleted or emptied, it keeps its last names")
    func file() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "collectors-\(UUID()).txt")
        defer { try? FileManager.default.removeItem(at: path) }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let watch = CollectorWatch(
            CollectorSource(listed: [Collector(name: "fixed", nodeName: "node-1")], file: path.path),
            watcher: FileWatcher(logger: logger), logger: logger)
        var sets = watch.sets.makeAsyncIterator()
        func next(_ condition: (CollectorSet) -> Bool) async -> CollectorSet? {
            while let set = await sets.next() { if condition(set) { return set } }
            return nil
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await watch.run() }
            let missing = try #require(await next { $0.error != nil })
            #expect(missing.collectors.map(\.name) == ["fixed"])
            #expect(!missing.isSynchronised)

            try Data("a\nb\n".utf8).write(to: path)
            let first = try #require(await next { $0.error == nil })
            #expect(first.collectors.map(\.name) == ["a", "b", "fixed"])
            #expect(first.isSynchronised)

            try Data("a\nc\n".utf8).write(to: path, options: .atomic)
            #expect(await next { $0.collectors.map(\.name) == ["a", "c", "fixed"] } != nil)

            try Data("# nobody\n".utf8).write(to: path)
            let emptied = try #require(await next { $0.error != nil })
            #expect(emptied.collectors.map(\.name) == ["a", "c", "fixed"])
            #expect(emptied.error?.hasSuffix("names no collector") == true)

            try FileManager.default.removeItem(at: path)
            let deleted = try #require(await next { $0.error?.hasSuffix("No such file or directory") == true })
            #expect(deleted.collectors.map(\.name) == ["a", "c", "fixed"])
            #expect(deleted.isSynchronised)

            try Data("d".utf8).write(to: path)
            #expect(await next { $0.collectors.map(\.name) == ["d", "fixed"] && $0.error == nil } != nil)
            group.cancelAll()
        }
    }
}
