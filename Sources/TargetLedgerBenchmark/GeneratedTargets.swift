//
// GeneratedTargets.swift: targets in the shape of upstream's own benchmark, and as files for file_sd.
//

import AllocationCore
import AllocatorRuntime
import Foundation

/// Targets of 41 labels: 5 to a group, 20 groups to a job, the group's 39 labels mostly Kubernetes' (upstream's
/// pipeline benchmark, spec/target-allocator.md 15.2).
struct GeneratedTargets {
    static let targetsPerGroup = 5
    static let groupsPerJob = 20

    let table: LabelTable
    let count: Int

    var jobNames: [String] {
        let perJob = Self.targetsPerGroup * Self.groupsPerJob
        return (0..<((count + perJob - 1) / perJob)).map { "job-\($0)" }
    }

    func pieces(from start: Int = 0, generation: Int = 0) -> [JobPipeline.Piece] {
        let perJob = Self.targetsPerGroup * Self.groupsPerJob
        var pieces: [JobPipeline.Piece] = []
        for first in stride(from: 0, to: count, by: Self.targetsPerGroup) {
            let group = first / Self.targetsPerGroup
            var labels: [String: String] = ["env": "production", "team": "team-\(group % 40)"]
            for index in 0..<37 {
                labels["__meta_kubernetes_pod_label_\(index)"] = index < 30 ? "value-\(index)" : "value-\(group % 1000)"
            }
            let targets = (first..<min(first + Self.targetsPerGroup, count)).map { number in
                let address = "10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255):\(8000 + generation)"
                return LabelSet(["__address__": address, "__meta_kubernetes_pod_name": "pod-\(number)"], in: table)
            }
            pieces.append(
                JobPipeline.Piece(
                    job: "job-\(first / perJob)", key: SourceKey(provider: "static", source: "group-\(group)"),
                    group: TargetGroup(
                        source: "group-\(group)", labels: LabelSet(labels, in: table), targets: targets)))
        }
        return pieces
    }
}

/// Files for file_sd: one group a target, 20 labels each, 16 of them shared by many.
enum GeneratedFiles {
    /// - Returns: The files written, one a job.
    static func write(targets: Int, jobs: Int, to folder: URL, changed: Int? = nil) throws -> [URL] {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let perJob = targets / jobs
        return try (0..<jobs).map { job in
            let file = folder.appending(path: "job-\(job).json")
            try contents(job: job, first: job * perJob, count: perJob, changed: changed)
                .write(to: file, options: .atomic)
            return file
        }
    }

    /// - Parameter changed: The number of a target that gets another label.
    static func contents(job: Int, first: Int, count: Int, changed: Int? = nil) -> Data {
        var text = "["
        text.reserveCapacity(count * 700)
        for number in first..<(first + count) {
            if number > first { text += ",\n" }
            text += "{\"targets\":[\"10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255):9100\"],\"labels\":{"
            for index in 0..<16 { text += "\"label_\(index)\":\"value-\(index)-\(number % 50)\"," }
            let mark = number == changed ? "changed" : "same"
            text += "\"instance_id\":\"i-\(number)\",\"host\":\"host-\(number)\",\"mark\":\"\(mark)\"}}"
        }
        return Data((text + "]\n").utf8)
    }
}
