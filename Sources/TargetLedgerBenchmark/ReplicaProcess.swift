//
// ReplicaProcess.swift: the allocator's executable as one of several on the benchmark's database.
//

import Foundation
import Glibc

/// One `target-ledger serve`; started again under the same port after it has ended.
final class ReplicaProcess {
    let port: UInt16
    private let folder: URL
    private let arguments: [String]
    private var process = Process()

    /// - Parameter scrapeConfigs: As YAML in one line.
    init(
        folder: URL, database: String, scrapeConfigs: String, flags: [String] = []
    ) throws {
        port = try LoopbackHTTP.freePort()
        self.folder = folder.appending(path: "replica-\(port)")
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
        let file = self.folder.appending(path: "config.yaml")
        let names = (0..<10).map { "collector-\($0)" }.joined(separator: ", ")
        try """
        listen_addr: 127.0.0.1:\(port)
        config: {scrape_configs: \(scrapeConfigs)}
        ledger: {collectors: {static: [\(names)]}}
        """.write(to: file, atomically: true, encoding: .utf8)
        // As flags, because the environment of whoever measures would count before the file.
        arguments = ["serve", "--config-file", file.path(), "--database-url", database] + flags
    }

    deinit { kill() }

    func start() throws {
        process = Process()
        process.executableURL = ServedProcess.executable
        process.arguments = arguments
        let log = folder.appending(path: "log")
        try Data().write(to: log)
        let handle = try FileHandle(forWritingTo: log)
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
    }

    /// Until it says on /readyz that it is what `role` says, and it listens for revisions.
    func wait(forRole role: String) throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if let ready = try? LoopbackHTTP.get(port, "/readyz"),
                String(decoding: ready, as: UTF8.self).contains(role),
                let metrics = try? LoopbackHTTP.get(port, "/metrics"),
                String(decoding: metrics, as: UTF8.self).contains("target_ledger_listening 1")
            {
                return
            }
            guard process.isRunning else { break }
            usleep(20_000)
        }
        let log = (try? String(contentsOf: folder.appending(path: "log"), encoding: .utf8)) ?? ""
        throw LoopbackHTTP.Failure(description: "target-ledger is not \(role): \(log.suffix(2000))")
    }

    /// SIGTERM, without waiting for the end.
    func terminate() { if process.isRunning { process.terminate() } }

    /// SIGKILL, without waiting for the end.
    func kill() { if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) } }

    func waitUntilEnd() { process.waitUntilExit() }
}
