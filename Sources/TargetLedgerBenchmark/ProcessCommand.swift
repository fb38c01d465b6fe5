//
// ProcessCommand.swift: the whole process from start to served, through file_sd, everything recorded.
//

import ArgumentParser
import Foundation

/// `target-ledger serve` on generated files: time until served, resident memory, a change, a restart.
struct ProcessCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "process",
        abstract: "The executable on file_sd: start to served, resident memory, a changed target, a restart.")

    @Option(help: "Targets and jobs, as in 100000/50.")
    var sizes: [String] = ["100000/50", "1000000/20"]

    @Option(help: "Number of collectors.")
    var collectors = 10

    func run() async throws {
        var table = FigureTable(
            "targets / jobs", "served after", "of it making PostgreSQL", "CPU", "of PostgreSQL", "resident",
            "of it a target", "peak",
            "change seen", "peak after it", "restart to right answer")
        for size in sizes {
            let parts = size.split(separator: "/").compactMap { Int($0) }
            guard parts.count == 2 else { throw ValidationError("--sizes takes TARGETS/JOBS, not \(size)") }
            let (targets, jobs) = (parts[0], parts[1])
            let folder = FileManager.default.temporaryDirectory.appending(
                path: "benchmark-\(UUID().uuidString.prefix(8))")
            defer { try? FileManager.default.removeItem(at: folder) }
            let files = try GeneratedFiles.write(targets: targets, jobs: jobs, to: folder.appending(path: "files"))

            let expected = Array(repeating: targets / jobs, count: jobs)

            let first = try ServedProcess(folder: folder, jobs: jobs, collectors: collectors)
            var start = ContinuousClock.now
            try first.start()
            try first.wait(forTargets: expected)
            let served = start.duration(to: .now).seconds
            let pid = first.process.processIdentifier
            let cpu = processorSeconds(of: pid) ?? 0
            let resident = memoryBytes(of: pid, .resident) ?? 0
            let peak = memoryBytes(of: pid, .peak) ?? 0
            let postgres = first.postgres?.seconds ?? 0
            let database = first.databaseSeconds ?? 0

            let changed = GeneratedFiles.contents(job: 0, first: 0, count: targets / jobs, changed: 7)
            start = .now
            try changed.write(to: files[0], options: .atomic)
            try first.wait(forText: "\"mark\":\"changed\"", at: "/jobs/job-0/targets")
            let seen = start.duration(to: .now).seconds
            let peakAfter = memoryBytes(of: pid, .peak) ?? 0
            first.stop()

            // The files are gone: whatever is answered comes from the ledger.
            for file in files { try FileManager.default.removeItem(at: file) }
            let second = try ServedProcess(folder: folder, jobs: jobs, collectors: collectors)
            start = .now
            try second.start()
            try second.wait(forTargets: expected)
            let restart = start.duration(to: .now).seconds
            second.stop()
            table.add(
                "\(targets) / \(jobs)", secondsText(served), secondsText(database), secondsText(cpu),
                secondsText(postgres),
                megabytes(resident), "\(resident / targets) B", megabytes(peak), secondsText(seen),
                megabytes(peakAfter),
                secondsText(restart))
        }
        table.write()
    }
}
