//
// Churn.swift: targets and collectors that change all the time.
//

import Foundation
import Synchronization
import TestSupport

/// Rewrites the files that all replicas discover from, on a thread of its own.
final class Churn: Sendable {
    static let fileCount = 20
    static let collectors = (0..<10).map { "collector-\($0)" }
    /// Those that never leave.
    static let permanent = 0..<8

    private let folder: URL
    private let microseconds: UInt32
    private let isStopped = Mutex(false)
    private let random: Mutex<SplitMix64>

    /// - Parameter microseconds: From one change to the next.
    init(folder: URL, seed: UInt64, every microseconds: UInt32 = 200_000) throws {
        self.folder = folder
        self.microseconds = microseconds
        random = Mutex(SplitMix64(state: seed))
        try FileManager.default.createDirectory(
            at: folder.appending(path: "targets"), withIntermediateDirectories: true)
        for file in 0..<Self.fileCount { try write(file, version: 0, round: 0) }
        try write(collectors: Self.collectors)
    }

    func start() {
        let thread = Thread { self.run() }
        thread.name = "churn"
        thread.start()
    }

    func stop() { isStopped.withLock { $0 = true } }

    private func run() {
        var version = 0
        while !isStopped.withLock(\.self) {
            version += 1
            let file = random.withLock { Int.random(in: 0..<Self.fileCount, using: &$0) }
            try? write(file, version: version, round: version / 200 % 3)
            if version % 30 == 0 {
                let absent = random.withLock {
                    Int.random(in: Self.permanent.upperBound...Self.collectors.count, using: &$0)
                }
                try? write(collectors: Self.collectors.enumerated().filter { $0.offset != absent }.map(\.element))
            }
            // How often inputs change is what is asked for.
            usleep(microseconds)
        }
    }

    /// Ten of a hundred and ten targets are absent, others in each version.
    private func write(_ file: Int, version: Int, round: Int) throws {
        let addresses = (0..<110).filter { ($0 + version) % 11 != 0 }.map { "\"10.0.\(file).\($0):80\"" }
        try replace(
            "targets/\(file).json",
            "[{\"targets\": [\(addresses.joined(separator: ","))], \"labels\": {\"round\": \"\(round)\"}}]")
    }

    private func write(collectors: [String]) throws {
        try replace("collectors", collectors.joined(separator: "\n") + "\n")
    }

    private func replace(_ name: String, _ text: String) throws {
        let draft = folder.appending(path: "draft")
        try text.write(to: draft, atomically: false, encoding: .utf8)
        guard rename(draft.path(), folder.appending(path: name).path()) == 0 else {
            throw AllocatorProcess.Failure(description: "rename: errno \(errno)")
        }
    }
}
