//
// HTTPCommand.swift: how fast target lists are served, beside nginx with the same bytes.
//

import ArgumentParser
import Foundation

/// `/jobs/{job}/targets` of `target-ledger serve` under wrk, and the same bytes from nginx.
struct HTTPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http", abstract: "Target lists under wrk, beside nginx serving the same bytes.")

    @Option(help: "Targets of each job, of 20 labels and some 550 bytes each.")
    var sizes: [Int] = [2, 9, 91, 910]

    @Option(help: "Seconds of each run.")
    var seconds = 3

    @Option(help: "Runs; the median of their ratios is shown.")
    var runs = 3

    @Option(help: "Connections of wrk.")
    var connections = 32

    /// How a list is asked for.
    private enum Form: String, CaseIterable {
        case whole = "/jobs/{job}/targets"
        case collector = "?collector_id="
        /// As the collector's HTTP client does.
        case gzip = "?collector_id=, gzip"

        var query: String { self == .whole ? "" : "?collector_id=collector-0" }
        var fields: [String] { self == .gzip ? ["Accept-Encoding: gzip"] : [] }
    }

    /// What one run of wrk showed.
    private struct Load {
        var perSecond: Double
        var perProcessorSecond: Double
    }

    func run() async throws {
        let wrk = try Tool("wrk", package: "wrk")
        let nginx = try Tool("nginx", package: "nginx-light")
        let folder = FileManager.default.temporaryDirectory.appending(path: "benchmark-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(
            at: folder.appending(path: "files"), withIntermediateDirectories: true)
        var first = 0
        for (job, count) in sizes.enumerated() {
            try GeneratedFiles.contents(job: job, first: first, count: count)
                .write(to: folder.appending(path: "files/job-\(job).json"))
            first += count
        }
        // The servers on one core, wrk on another: neither is helped by more.
        let cores: (server: Int, client: Int)? = ProcessInfo.processInfo.activeProcessorCount > 1 ? (0, 1) : nil

        let allocator = try ServedProcess(folder: folder, jobs: sizes.count, collectors: 1)
        try allocator.start(onCore: cores?.server)
        defer { allocator.stop() }
        try allocator.wait(forTargets: sizes)
        let bodies = try fetch(allocator, to: folder.appending(path: "www"))
        let servers = try [false, true].map {
            try StaticServer(nginx, folder: folder, usesSendfile: $0, onCore: cores?.server)
        }
        defer { for server in servers { server.stop() } }
        for server in servers { try server.wait(for: bodies[.whole]?[0] ?? [], at: "/whole/jobs/job-0/targets") }

        var table = FigureTable(
            "asked for", "body", "requests/s", "nginx", "ratio", "requests/CPU-s", "nginx", "ratio")
        for form in Form.allCases {
            for job in sizes.indices {
                var all: [(ours: Load, best: Load)] = []
                for _ in 0..<runs {
                    let path = "/jobs/job-\(job)/targets\(form.query)"
                    let pid = allocator.process.processIdentifier
                    let ours = try await load(wrk, allocator.port, path, form, cores?.client) {
                        processorSeconds(of: pid) ?? 0
                    }
                    var theirs: [Load] = []
                    for server in servers {
                        theirs.append(
                            try await load(wrk, server.port, "/\(form)\(path)", form, cores?.client) {
                                server.processorSeconds
                            })
                    }
                    all.append(
                        (
                            ours,
                            Load(
                                perSecond: theirs.map(\.perSecond).max() ?? 0,
                                perProcessorSecond: theirs.map(\.perProcessorSecond).max() ?? 0)
                        ))
                }
                table.add(
                    form.rawValue, "\(bodies[form]?[job].count ?? 0) B", whole(all.map(\.ours.perSecond)),
                    whole(all.map(\.best.perSecond)),
                    ratioText(all.map { $0.ours.perSecond / $0.best.perSecond }.median),
                    whole(all.map(\.ours.perProcessorSecond)), whole(all.map(\.best.perProcessorSecond)),
                    ratioText(all.map { $0.ours.perProcessorSecond / $0.best.perProcessorSecond }.median))
            }
        }
        let place =
            cores == nil
            ? "all on the one processor" : "each server kept to one processor, wrk with one thread to another"
        output(
            """
            wrk with \(connections) connections; nginx with one worker, without sendfile or with it, whichever is \
            better; \(place).
            gzip: nginx has the same gzip bytes as a file (gzip_static). Median of \(runs) runs of \(seconds) s.

            """)
        table.write()
    }

    private func whole(_ values: [Double]) -> String { String(format: "%.0f", values.median) }

    /// Asks for every body, and lays it down for nginx.
    private func fetch(_ allocator: ServedProcess, to www: URL) throws -> [Form: [[UInt8]]] {
        var bodies: [Form: [[UInt8]]] = [:]
        for form in Form.allCases {
            bodies[form] = try sizes.indices.map { job in
                let path = "/jobs/job-\(job)/targets"
                let file = www.appending(path: "\(form)\(path)")
                try FileManager.default.createDirectory(
                    at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                let plain = try LoopbackHTTP.get(allocator.port, path + form.query)
                try Data(plain).write(to: file)
                guard form == .gzip else { return plain }
                let fields = form.fields.map { $0 + "\r\n" }.joined()
                let packed = try LoopbackHTTP.get(allocator.port, path + form.query, fields: fields)
                guard packed.starts(with: [0x1F, 0x8B]) else { return plain }
                try Data(packed).write(to: file.appendingPathExtension("gz"))
                return packed
            }
        }
        return bodies
    }

    /// One run of wrk, with the processor seconds that the server used meanwhile.
    private func load(
        _ wrk: Tool, _ port: UInt16, _ path: String, _ form: Form, _ core: Int?, _ processorSeconds: () -> Double
    ) async throws -> Load {
        let fields = form.fields.flatMap { ["-H", $0] }
        let arguments = ["-t", "1", "-c", "\(connections)", "-d", "\(seconds)s"] + fields
        let before = processorSeconds()
        let text = try await wrk.run(arguments + ["http://127.0.0.1:\(port)\(path)"], onCore: core).text
        let used = processorSeconds() - before
        guard !text.contains("Non-2xx"), !text.contains("Socket errors") else { throw Tool.Failure(description: text) }
        let words = text.split(whereSeparator: \.isWhitespace)
        guard let place = words.firstIndex(of: "requests"), place > 0, let count = Double(words[place - 1]),
            let rate = words.firstIndex(of: "Requests/sec:").flatMap({ Double(words[$0 + 1]) })
        else { throw Tool.Failure(description: "wrk said: \(text)") }
        return Load(perSecond: rate, perProcessorSecond: count / max(used, 0.001))
    }
}
