//
// AllocatorProcess.swift: the built executable as a real process, with its own folder, to be asked and killed.
//

import Foundation
import Glibc
import Synchronization

/// A folder with a configuration, target files, collectors and a data folder; and the process that runs on it.
final class AllocatorProcess: Sendable {
    let folder: URL
    let port: UInt16
    private let running = Mutex<Process?>(nil)
    private let output = Mutex<String>("")

    /// The executable that was built beside these tests.
    static var executable: URL {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "target-ledger")
    }

    /// - Parameters:
    ///   - jobs: The `scrape_configs` part as YAML, indented by four spaces.
    ///   - ledger: What stands in the `ledger` section in place of `collectors`, indented by two spaces.
    ///   - database: A connection string; nil for a private cluster in the folder.
    init(jobs: String, ledger: String = "", topLevel: String = "", database: String? = nil) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "target-ledger-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(
            at: folder.appending(path: "targets"), withIntermediateDirectories: true)
        // The server runs as another user when the tests run as root, and must be able to pass through.
        chmod(folder.path(), 0o755)
        port = try PlainHTTP.freePort()
        let text = """
            listen_addr: 127.0.0.1:\(port)
            \(topLevel)
            config:
              scrape_configs:
            \(jobs)
            ledger:
              \(database.map { "database_url: \"\($0)\"" } ?? "embedded: {data_directory: \(folder.path())/data}")
              lease: {ttl: 5s, renew_interval: 1s}
            \(ledger.isEmpty ? "  collectors: {file: \(folder.path())/collectors}" : ledger)
            """
        try text.write(to: folder.appending(path: "config.yaml"), atomically: true, encoding: .utf8)
    }

    deinit {
        kill()
        killPostgres()
        try? FileManager.default.removeItem(at: folder)
    }

    // MARK: Life

    func start(arguments: [String] = []) throws {
        let process = Process()
        process.executableURL = Self.executable
        process.arguments = ["serve", "--config-file", folder.appending(path: "config.yaml").path()] + arguments
        let pipe = Pipe()
        process.standardError = pipe
        process.standardOutput = pipe
        pipe.fileHandleForReading.readabilityHandler = { [weak self] handle in
            let data = handle.availableData
            if data.isEmpty { handle.readabilityHandler = nil }
            self?.output.withLock { $0 += String(decoding: data, as: UTF8.self) }
        }
        try process.run()
        running.withLock { $0 = process }
    }

    var log: String { output.withLock { $0 } }

    /// SIGKILL, and waits until it is gone.
    func kill() { end(SIGKILL) }

    /// SIGTERM, without waiting.
    func terminate() {
        guard let process = running.withLock({ $0 }), process.isRunning else { return }
        Glibc.kill(process.processIdentifier, SIGTERM)
    }

    /// SIGTERM, and waits; the exit status.
    @discardableResult
    func stop() -> Int32 { end(SIGTERM) }

    @discardableResult
    private func end(_ signal: Int32) -> Int32 {
        guard let process = running.withLock({ $0 }) else { return 0 }
        if process.isRunning { Glibc.kill(process.processIdentifier, signal) }
        process.waitUntilExit()
        running.withLock { $0 = nil }
        return process.terminationStatus
    }

    var isRunning: Bool { running.withLock { $0?.isRunning ?? false } }

    var identifier: Int32? { running.withLock { $0?.processIdentifier } }

    /// SIGKILL to the postmaster of the data folder, if it lives.
    func killPostgres() {
        guard let pid = postmaster else { return }
        Glibc.kill(pid, SIGKILL)
    }

    /// The process id that PostgreSQL wrote into its data folder, wherever below it that is.
    var postmaster: Int32? {
        let data = folder.appending(path: "data")
        guard let files = FileManager.default.enumerator(at: data, includingPropertiesForKeys: nil) else { return nil }
        for case let file as URL in files where file.lastPathComponent == "postmaster.pid" {
            let first = (try? String(contentsOf: file, encoding: .utf8))?.split(separator: "\n").first
            return first.flatMap { Int32($0) }
        }
        return nil
    }

    // MARK: Asking

    func get(_ path: String, headers: [String: String] = [:]) throws -> PlainAnswer {
        try PlainHTTP.get(port: port, path, headers: headers)
    }

    func targets(job: String, collector: String) throws -> PlainAnswer {
        try get("/jobs/\(job)/targets?collector_id=\(collector)")
    }

    /// Asks until `condition` holds; the process ending or the deadline passing is an error with its log.
    @discardableResult
    func wait(
        for path: String = "/readyz", seconds: Double = 60,
        until condition: (PlainAnswer) -> Bool = { $0.status == 200 }
    ) throws -> PlainAnswer {
        let deadline = Date.now.addingTimeInterval(seconds)
        var last = "no answer"
        while Date.now < deadline {
            if let answer = try? get(path) {
                if condition(answer) { return answer }
                last = "\(answer.status) \(answer.text.prefix(300))"
            }
            guard isRunning else { throw Failure(description: "the process ended:\n\(log.suffix(4000))") }
            // Between two questions to a process that may be starting; nothing in it can signal this one.
            usleep(5_000)
        }
        throw Failure(description: "waited \(seconds) s for \(path): \(last)\n\(log.suffix(4000))")
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    // MARK: Inputs

    /// Replaces a file at once, as a careful writer does.
    func write(_ name: String, _ text: String) throws {
        let final = folder.appending(path: name)
        let draft = folder.appending(path: ".draft-\(UUID().uuidString)")
        try text.write(to: draft, atomically: false, encoding: .utf8)
        guard rename(draft.path(), final.path()) == 0 else { throw Failure(description: "rename: errno \(errno)") }
    }

    func write(collectors: [String]) throws { try write("collectors", collectors.joined(separator: "\n") + "\n") }

    /// One group of targets with labels as a file of file_sd.
    func write(file: String, addresses: [String], labels: [String: String] = [:]) throws {
        let pairs = labels.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \"\($0.value)\"" }.joined(separator: ", ")
        let list = addresses.map { "\"\($0)\"" }.joined(separator: ", ")
        try write("targets/\(file)", "[{\"targets\": [\(list)], \"labels\": {\(pairs)}}]")
    }

    /// Runs another command of the executable on this folder's configuration.
    func run(_ arguments: [String]) throws -> (status: Int32, output: String, errors: String) {
        try Self.run(arguments + ["--config-file", folder.appending(path: "config.yaml").path()])
    }

    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> (
        status: Int32, output: String, errors: String
    ) {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        let collected = Mutex<Data>(Data())
        try process.run()
        let reader = Thread { collected.withLock { $0 = errors.fileHandleForReading.readDataToEndOfFile() } }
        reader.start()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        while !reader.isFinished { usleep(1_000) }
        return (process.terminationStatus, text, collected.withLock { String(decoding: $0, as: UTF8.self) })
    }
}
