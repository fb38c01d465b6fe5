//
// ExampleProcess.swift: the example of deploy/local, run as deploy/local/up runs it, in a folder that may be spoiled.
//

import Foundation
import Glibc

/// A copy of deploy/ and an allocator that is started in its folder.
final class ExampleProcess {
    private let folder: URL
    private let port: UInt16
    private let historyPort: UInt16
    private var process: Process?

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "example-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // As root PostgreSQL runs as another user, who must be able to pass through.
        chmod(folder.path(), 0o755)
        try FileManager.default.copyItem(
            at: ReadmeExamples.repository.appending(path: "deploy"), to: folder.appending(path: "deploy"))
        try Data("silent\n".utf8).write(to: folder.appending(path: ".curlrc"))
        port = try PlainHTTP.freePort()
        historyPort = try PlainHTTP.freePort()
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Starts it, or starts it anew with other flags, and waits until it is ready.
    func start(flags: [String]) throws {
        stop()
        let process = Process()
        process.executableURL = AllocatorProcess.executable
        process.arguments =
            [
                "--config-file", "deploy/local/target-ledger.yaml", "--listen-addr", ":\(port)",
                "--history-api-listen-addr", "127.0.0.1:\(historyPort)",
            ] + flags
        process.currentDirectoryURL = folder
        process.environment = environment
        let log = folder.appending(path: "log")
        try Data().write(to: log)
        process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
        self.process = process
        while (try? PlainHTTP.get(port: port, "/readyz").status) != 200 {
            guard process.isRunning else {
                throw AllocatorProcess.Failure(
                    description: "the example ended: \(try String(contentsOf: log, encoding: .utf8))")
            }
            // Another process cannot signal this one; the test's time limit ends it.
            usleep(20_000)
        }
    }

    private func stop() {
        guard let process, process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }

    /// What a shell prints for a command. A question is asked again until the answer is the expected one, for some time:
    /// the world needs a moment to be noticed.
    func printed(by command: String, until isExpected: ([String]) -> Bool) throws -> [String] {
        let isQuestion =
            command.hasPrefix("curl") || command.hasPrefix("target-ledger moves")
            || command.hasPrefix("target-ledger history")
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            let lines = try shell(
                command.replacing("localhost:8080/", with: "localhost:\(port)/")
                    .replacing("localhost:8081/", with: "localhost:\(historyPort)/"))
            if isExpected(lines) || !isQuestion || .now > deadline { return lines }
            usleep(50_000)
        }
    }

    private func shell(_ command: String) throws -> [String] {
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/bash")
        shell.arguments = ["-c", command]
        shell.currentDirectoryURL = folder
        shell.environment = environment
        let pipe = Pipe()
        shell.standardOutput = pipe
        shell.standardError = pipe
        try shell.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        shell.waitUntilExit()
        return text.split(whereSeparator: \.isNewline).map(String.init)
    }

    /// `target-ledger` by name, and no database that this shell happens to name.
    private var environment: [String: String] {
        var environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("PG") && $0.key != "DATABASE_URL"
        }
        let tools = AllocatorProcess.executable.deletingLastPathComponent().path()
        environment["PATH"] = tools + ":" + (environment["PATH"] ?? "/usr/bin:/bin")
        // A terminal's curl shows no meter for short answers; this one has no terminal.
        environment["CURL_HOME"] = folder.path()
        return environment
    }
}
