//
// ExampleProcess.swift: the example of deploy/local, run as deploy/local/up runs it, in a folder that may be spoiled.
//

import Foundation
import Glibc

/// A copy of deploy/ and an allocator that is started in its folder.
final class ExampleProcess {
    private let folder: URL
    /// Free ports for those of the text.
    private let ports: [(shown: String, free: UInt16)]
    private var process: Process?
    /// Processes that a session started with `&`, in order.
    private var beside: [Process] = []
    private var exported: [String: String] = [:]

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "example-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // As root PostgreSQL runs as another user, who must be able to pass through.
        chmod(folder.path(), 0o755)
        try FileManager.default.copyItem(
            at: ReadmeExamples.repository.appending(path: "deploy"), to: folder.appending(path: "deploy"))
        try Data("silent\n".utf8).write(to: folder.appending(path: ".curlrc"))
        ports = try ["8080", "8081", "8090", "8091"].map { ($0, try PlainHTTP.freePort()) }
    }

    private func port(_ shown: String) -> UInt16 { ports.first { $0.shown == shown }?.free ?? 0 }

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
                "--config-file", "deploy/local/target-ledger.yaml", "--listen-addr", ":\(port("8080"))",
                "--history-api-listen-addr", "127.0.0.1:\(port("8081"))",
            ] + flags
        process.currentDirectoryURL = folder
        process.environment = environment
        let log = folder.appending(path: "log")
        try Data().write(to: log)
        process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
        self.process = process
        try waitUntilReady(process, on: port("8080"), log: "log")
    }

    private func waitUntilReady(_ process: Process, on port: UInt16, log: String) throws {
        while (try? PlainHTTP.get(port: port, "/readyz").status) != 200 {
            guard process.isRunning else {
                let text = try String(contentsOf: folder.appending(path: log), encoding: .utf8)
                throw AllocatorProcess.Failure(description: "the example ended: \(text)")
            }
            // Another process cannot signal this one; the test's time limit ends it.
            usleep(20_000)
        }
    }

    private func stop() {
        for process in beside + [process].compactMap(\.self) where process.isRunning {
            process.terminate()
            process.waitUntilExit()
        }
        if !exported.isEmpty { _ = try? shell("deploy/local/postgres --stop") }
        (beside, exported) = ([], [:])
    }

    /// Does what a shell does itself: an `export`, a command with `&` behind it, `kill %1`.
    ///
    /// - Returns: False: it is a command like any other.
    func takes(_ command: String) throws -> Bool {
        if let export = command.wholeMatch(of: /export (\w+)=(.*)/) {
            let value = try shell("echo \(export.2)").joined(separator: "\n")
            stop()
            exported[String(export.1)] = value
        } else if let started = command.wholeMatch(of: /(target-ledger serve .*) 2> (\S+) &/) {
            var arguments = String(started.1)
            let shown = arguments.firstMatch(of: /--listen-addr :(\d+)/).map { String($0.1) } ?? "8080"
            if !arguments.contains("--listen-addr") {
                arguments += " --listen-addr :8080 --history-api-listen-addr 127.0.0.1:8081"
            }
            for (shown, free) in ports { arguments.replace(":\(shown)", with: ":\(free)") }
            let process = shellProcess("exec \(arguments) 2> \(started.2)")
            try process.run()
            beside.append(process)
            // Whoever types takes as long.
            try waitUntilReady(process, on: port(shown), log: String(started.2))
        } else if let ended = command.wholeMatch(of: /kill %(\d)/), let number = Int(ended.1) {
            beside[number - 1].terminate()
            beside[number - 1].waitUntilExit()
        } else {
            return false
        }
        return true
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
                ports.reduce(command) { $0.replacing("localhost:\($1.shown)/", with: "localhost:\($1.free)/") })
            if isExpected(lines) || !isQuestion || .now > deadline { return lines }
            usleep(50_000)
        }
    }

    private func shellProcess(_ command: String) -> Process {
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/bash")
        shell.arguments = ["-c", command]
        shell.currentDirectoryURL = folder
        shell.environment = environment
        return shell
    }

    private func shell(_ command: String) throws -> [String] {
        let shell = shellProcess(command)
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
        return environment.merging(exported) { $1 }
    }
}
