//
// ServedProcess.swift: the allocator's executable on a folder of generated files, asked over HTTP.
//

import Foundation
import Glibc

/// One run of `target-ledger serve`.
final class ServedProcess {
    let folder: URL
    let port: UInt16
    let process = Process()
    let jobs: Int

    /// The executable built beside this one.
    static var executable: URL {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "target-ledger")
    }

    init(folder: URL, jobs: Int, collectors: Int) throws {
        self.folder = folder
        self.jobs = jobs
        port = try LoopbackHTTP.freePort()
        chmod(folder.path(), 0o755)
        var config = "listen_addr: 127.0.0.1:\(port)\nconfig:\n  scrape_configs:\n"
        for job in 0..<jobs {
            config +=
                "  - {job_name: job-\(job), file_sd_configs: [{files: [\(folder.path())/files/job-\(job).json]}]}\n"
        }
        let names = (0..<collectors).map { "collector-\($0)" }.joined(separator: ", ")
        config += "ledger:\n  embedded: {data_directory: \(folder.path())/data}\n  collectors: {static: [\(names)]}\n"
        try config.write(to: folder.appending(path: "config.yaml"), atomically: true, encoding: .utf8)
    }

    /// - Parameter core: The one processor that it may use; nil: all.
    func start(onCore core: Int? = nil) throws {
        let arguments = ["serve", "--config-file", folder.appending(path: "config.yaml").path()]
        if let core {
            // taskset becomes the allocator: the process id stays.
            process.executableURL = URL(filePath: try Tool("taskset", package: "util-linux").path)
            process.arguments = ["--cpu-list", "\(core)", Self.executable.path()] + arguments
        } else {
            process.executableURL = Self.executable
            process.arguments = arguments
        }
        let log = folder.appending(path: "log")
        try Data().write(to: log)
        let handle = try FileHandle(forWritingTo: log)
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }

    /// Waits until every job is listed and has so many targets. A job is not asked again once it has: reading a million
    /// targets over and over would be what is measured.
    func wait(forTargets counts: [Int]) throws {
        var missing = Set(counts.indices)
        while !missing.isEmpty {
            if let listed = try? LoopbackHTTP.get(port, "/jobs"), occurrences(of: "_link", in: listed) == jobs {
                for job in missing {
                    let all = try LoopbackHTTP.get(port, "/jobs/job-\(job)/targets")
                    if occurrences(of: "\"labels\":", in: all) == counts[job] { missing.remove(job) }
                }
            }
            try check()
            if !missing.isEmpty { usleep(20_000) }
        }
    }

    func wait(forText text: String, at path: String) throws {
        while true {
            if let body = try? LoopbackHTTP.get(port, path), occurrences(of: text, in: body) > 0 { return }
            try check()
            usleep(5_000)
        }
    }

    private func check() throws {
        guard process.isRunning else {
            let log = (try? String(contentsOf: folder.appending(path: "log"), encoding: .utf8)) ?? ""
            throw LoopbackHTTP.Failure(description: "target-ledger ended: \(log.suffix(2000))")
        }
    }

    private func occurrences(of text: String, in body: [UInt8]) -> Int {
        let wanted = Array(text.utf8)
        var count = 0
        body.withUnsafeBytes { bytes in
            guard let first = wanted.first, bytes.count >= wanted.count, let base = bytes.baseAddress else { return }
            var offset = 0
            let last = bytes.count - wanted.count
            while offset <= last, let found = memchr(base + offset, Int32(first), last - offset + 1) {
                offset = UnsafeRawPointer(found) - base
                if memcmp(found, wanted, wanted.count) == 0 { count += 1 }
                offset += 1
            }
        }
        return count
    }

    /// Seconds from the allocator's start until its PostgreSQL took sessions, by its log.
    var databaseSeconds: Double? {
        guard let start = instant(ofLog: "starting"), let end = instant(ofLog: "ledger") else { return nil }
        return end.timeIntervalSince(start)
    }

    private func instant(ofLog message: String) -> Date? {
        let log = (try? String(contentsOf: folder.appending(path: "log"), encoding: .utf8)) ?? ""
        guard let line = log.split(separator: "\n").first(where: { $0.contains("\"msg\":\"\(message)\"") }),
            let field = line.range(of: "\"ts\":\""), let end = line[field.upperBound...].firstIndex(of: "\"")
        else { return nil }
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return try? Date(String(line[field.upperBound..<end]), strategy: format)
    }

    /// The private PostgreSQL's processes, as resident bytes without what they share, and processor seconds.
    var postgres: (postmaster: Int32, seconds: Double)? {
        guard let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil) else {
            return nil
        }
        for case let file as URL in files where file.lastPathComponent == "postmaster.pid" {
            let first = (try? String(contentsOf: file, encoding: .utf8))?.split(separator: "\n").first
            guard let pid = first.flatMap({ Int32($0) }) else { return nil }
            let all = [pid] + children(of: pid)
            return (pid, all.compactMap { processorSeconds(of: $0) }.reduce(0, +))
        }
        return nil
    }
}
