//
// Tool.swift: programs of the machine that something is measured beside.
//

import Foundation

/// A program that is not ours.
struct Tool {
    let path: String

    struct Missing: Error, CustomStringConvertible {
        let name: String
        let package: String
        var description: String { "\(name) is not installed; on Debian: apt-get install \(package)" }
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameter package: Debian's package that has it.
    init(_ name: String, package: String) throws {
        let folders =
            (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
            + ["/usr/bin", "/usr/sbin"]
        let paths = folders.map { "\($0)/\(name)" }
        guard let path = paths.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw Missing(name: name, package: package)
        }
        self.path = path
    }

    /// Runs it to its end.
    ///
    /// - Parameter core: The one processor that it may use; nil: all.
    /// - Returns: What it wrote, and the seconds from its start to its end.
    @discardableResult
    func run(_ arguments: [String], onCore core: Int? = nil) async throws -> (text: String, seconds: Double) {
        let process = Process()
        if let core {
            process.executableURL = URL(filePath: try Tool("taskset", package: "util-linux").path)
            process.arguments = ["--cpu-list", "\(core)", path] + arguments
        } else {
            process.executableURL = URL(filePath: path)
            process.arguments = arguments
        }
        // A file and not a pipe, which would have to be read meanwhile.
        let file = FileManager.default.temporaryDirectory.appending(path: "benchmark-\(UUID().uuidString)")
        try Data().write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let handle = try FileHandle(forWritingTo: file)
        process.standardOutput = handle
        process.standardError = handle
        let start = ContinuousClock.now
        let seconds = try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Double, any Error>) in
            process.terminationHandler = { _ in ended.resume(returning: start.duration(to: .now).seconds) }
            do { try process.run() } catch {
                process.terminationHandler = nil
                ended.resume(throwing: error)
            }
        }
        let text = try String(contentsOf: file, encoding: .utf8)
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(path) ended with \(process.terminationStatus): \(text.suffix(2000))")
        }
        return (text, seconds)
    }
}
