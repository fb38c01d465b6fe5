import AllocationCore
import Discovery
import Foundation
import HTTPTransport
import Logging
import PrometheusConfig
import Testing

/// Goal: what happens to files is told within moments, however they are written.
///
/// Method: real folders and the real inotify. The refresh interval is an hour, so that only events can bring a change;
/// each step waits for the batch that must follow.
@Suite(.timeLimit(.minutes(3))) struct FileDiscoveryTests {
    /// Real files, a manager that watches them, and what it has told so far.
    final class Stage {
        let folder: URL
        let table = LabelTable()
        let manager: DiscoveryManager
        /// Addresses by source.
        private(set) var known: [String: [String]] = [:]
        private(set) var isSynchronised = false
        private(set) var reports: [DiscoveryReport] = []

        init() throws {
            folder = FileManager.default.temporaryDirectory.appending(path: "file-discovery-\(UUID())")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            // On a busy machine the pause between two writes of a test may be long.
            manager = DiscoveryManager(
                table: table, watcher: FileWatcher(quietAfter: .seconds(3600), logger: logger),
                http: HTTPClient(userAgent: "test"), logger: logger)
        }

        deinit { try? FileManager.default.removeItem(at: folder) }

        func path(_ name: String) -> String { folder.path + "/" + name }

        /// Writes in place, as an editor or a script does.
        func write(_ name: String, _ text: String) throws {
            try Data(text.utf8).write(to: URL(filePath: path(name)), options: [])
        }

        /// Writes beside and renames over.
        func replace(_ name: String, _ text: String) throws {
            try Data(text.utf8).write(to: URL(filePath: path(name)), options: .atomic)
        }

        func makeFolder(_ name: String) throws {
            try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
        }

        func take() async throws {
            let batch = try await manager.nextBatch()
            reports += batch.reports
            for (key, group) in batch.jobs["job"]?.changed ?? [:] {
                let addresses = group.targets.map { $0.dictionary(in: table)["__address__"] ?? "" }
                known[key.source] = addresses.isEmpty ? nil : addresses
            }
            isSynchronised = batch.jobs["job"]?.isSynchronised ?? isSynchronised
        }

        /// Takes batches until all addresses known are these.
        func expect(_ addresses: [String]) async throws {
            while known.values.flatMap(\.self).sorted() != addresses.sorted() { try await take() }
        }

        func expectReport(_ condition: (DiscoveryReport) -> Bool) async throws -> DiscoveryReport {
            while true {
                if let found = reports.firstIndex(where: condition) { return reports.remove(at: found) }
                try await take()
            }
        }
    }

    /// Runs a stage whose one job reads these files.
    func run(_ files: [String], prepare: (Stage) throws -> Void = { _ in }, _ body: (Stage) async throws -> Void)
        async throws
    {
        let stage = try Stage()
        try prepare(stage)
        let section = FileSDConfig(files: files.map { stage.path($0) }, refreshInterval: .seconds(3600))
        await stage.manager.apply([JobDiscovery(job: "job", file: [section])])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [manager = stage.manager] in try await manager.run() }
            while !stage.isSynchronised { try await stage.take() }
            try await body(stage)
            group.cancelAll()
        }
    }

    static func json(_ addresses: String...) -> String {
        "[" + addresses.map { "{\"targets\": [\"\($0)\"]}" }.joined(separator: ",") + "]"
    }

    @Test("A file is made, changed in place, renamed over, and deleted")
    func life() async throws {
        try await run(["*.json"]) { stage in
            #expect(stage.known.isEmpty)
            try stage.write("a.json", Self.json("a", "b"))
            try await stage.expect(["a", "b"])
            try stage.write("a.json", Self.json("a", "c", "d"))
            try await stage.expect(["a", "c", "d"])
            try stage.replace("a.json", Self.json("e"))
            try await stage.expect(["e"])
            try stage.write("b.json", Self.json("f"))
            try await stage.expect(["e", "f"])
            try FileManager.default.removeItem(atPath: stage.path("a.json"))
            try await stage.expect(["f"])
        }
    }

    @Test("A file that is broken keeps its targets, fails the round, and does not disturb others")
    func broken() async throws {
        try await run(["*.json"], prepare: { try $0.write("a.json", Self.json("a")) }) { stage in
            try await stage.expect(["a"])
            try stage.write("a.json", "[{\"targets\": [\"x\"")
            try stage.write("b.json", Self.json("b"))
            try await stage.expect(["a", "b"])
            let report = try await stage.expectReport { $0.error != nil }
            #expect(report.error?.contains("a.json: line 1") == true)
            #expect(report.targets == 2)
            try stage.write("a.json", Self.json("c"))
            try await stage.expect(["b", "c"])
        }
    }

    @Test("A file that is broken from the start leaves its job unsynchronised")
    func brokenAtStart() async throws {
        let stage = try Stage()
        try stage.write("a.json", Self.json("a"))
        try stage.write("b.json", "{")
        let section = FileSDConfig(files: [stage.path("*.json")], refreshInterval: .seconds(3600))
        await stage.manager.apply([JobDiscovery(job: "job", file: [section])])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [manager = stage.manager] in try await manager.run() }
            try await stage.expect(["a"])
            _ = try await stage.expectReport { $0.error != nil }
            #expect(!stage.isSynchronised)
            try stage.write("b.json", Self.json("b"))
            while !stage.isSynchronised { try await stage.take() }
            #expect(stage.known.values.flatMap(\.self).sorted() == ["a", "b"])
            group.cancelAll()
        }
    }

    @Test("A folder that is made later, and a folder in a folder")
    func laterFolder() async throws {
        try await run(["later/deep/*.yml"]) { stage in
            try stage.makeFolder("later")
            try stage.makeFolder("later/deep")
            try stage.write("later/deep/t.yml", "- targets: [a]\n")
            try await stage.expect(["a"])
            try FileManager.default.removeItem(atPath: stage.path("later"))
            try await stage.expect([])
            try stage.makeFolder("later/deep")
            try stage.write("later/deep/t.yml", "- targets: [b]\n")
            try await stage.expect(["b"])
        }
    }

    @Test("A config map's files change when the link they go through is renamed over")
    func configMap() async throws {
        try await run(
            ["map/*.json"],
            prepare: { stage in
                try stage.makeFolder("map/..1")
                try stage.write("map/..1/t.json", Self.json("a"))
                try FileManager.default.createSymbolicLink(atPath: stage.path("map/..data"), withDestinationPath: "..1")
                try FileManager.default.createSymbolicLink(
                    atPath: stage.path("map/t.json"), withDestinationPath: "..data/t.json")
            }
        ) { stage in
            try await stage.expect(["a"])
            for (number, address) in [(2, "b"), (3, "c")] {
                try stage.makeFolder("map/..\(number)")
                try stage.write("map/..\(number)/t.json", Self.json(address))
                try FileManager.default.createSymbolicLink(
                    atPath: stage.path("map/..data_tmp"), withDestinationPath: "..\(number)")
                #expect(rename(stage.path("map/..data_tmp"), stage.path("map/..data")) == 0)
                try FileManager.default.removeItem(atPath: stage.path("map/..\(number - 1)"))
                try await stage.expect([address])
            }
        }
    }

    @Test("A link on the way to the folder is followed anew when it is swapped")
    func linkedFolder() async throws {
        try await run(
            ["current/*.json"],
            prepare: { stage in
                for (folder, address) in [("one", "a"), ("two", "b")] {
                    try stage.makeFolder("releases/\(folder)")
                    try stage.write("releases/\(folder)/t.json", Self.json(address))
                }
                try FileManager.default.createSymbolicLink(
                    atPath: stage.path("current"), withDestinationPath: "releases/one")
            }
        ) { stage in
            try await stage.expect(["a"])
            try FileManager.default.createSymbolicLink(
                atPath: stage.path("next"), withDestinationPath: "releases/two")
            #expect(rename(stage.path("next"), stage.path("current")) == 0)
            try await stage.expect(["b"])
            // The folder behind the link is watched, too.
            try stage.write("releases/two/t.json", Self.json("c"))
            try await stage.expect(["c"])
        }
    }

    @Test("A file is not read while it is being written")
    func halfWritten() async throws {
        try await run(["*.yml"], prepare: { try $0.write("a.yml", "- targets: [a]\n- targets: [b]\n") }) { stage in
            try await stage.expect(["a", "b"])
            let file = try FileHandle(forWritingTo: URL(filePath: stage.path("a.yml")))
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: Data("- targets: [a]\n".utf8))
            // Another file's change brings a round, in which the half-written one must be left alone.
            try stage.write("b.yml", "- targets: [x]\n")
            try await stage.expect(["a", "b", "x"])
            try file.write(contentsOf: Data("- targets: [c]\n".utf8))
            try file.close()
            try await stage.expect(["a", "c", "x"])
        }
    }

    @Test("Groups that move between two files move in one batch, and many files are one watch")
    func manyFiles() async throws {
        try await run(
            ["*.json"],
            prepare: { stage in
                for number in 0..<300 { try stage.write("\(number).json", Self.json("t\(number)")) }
            }
        ) { stage in
            try await stage.expect((0..<300).map { "t\($0)" })
            try stage.replace("7.json", Self.json("moved"))
            try await stage.expect((0..<300).map { $0 == 7 ? "moved" : "t\($0)" })
        }
    }
}
