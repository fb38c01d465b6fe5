//
// PrometheusClientTests.swift: a real Prometheus reads what is handed out.
//

import AllocationCore
import Foundation
import Testing

/// Goal: what a real http_sd client holds, all collectors together, is every target once, also under churn.
///
/// Method: Debian's prometheus with one http_sd job for each collector pointed at the allocator; target files are
/// rewritten while it runs, and its API is asked until it agrees or a deadline passes.
@ProcessTests @Suite struct PrometheusClientTests {
    let collectors = ["col-0", "col-1", "col-2"]

    @Test("Prometheus finds the union, none twice, under churn of the files")
    func union() throws {
        let process = try AllocatorProcess(
            jobs: "    - {job_name: \"shop/api v1\", file_sd_configs: [{files: [PLACE]}]}")
        let config = try String(contentsOf: process.folder.appending(path: "config.yaml"), encoding: .utf8)
        try process.write(
            "config.yaml",
            config.replacingOccurrences(of: "PLACE", with: "\(process.folder.path())/targets/*.json"))
        try process.write(collectors: collectors)
        try process.write(file: "a.json", addresses: addresses(0..<60))
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("shop") }
        let prometheus = try PrometheusProcess(
            folder: process.folder, allocatorPort: process.port, collectors: collectors)
        defer { prometheus.stop() }
        try prometheus.wait(for: Set(addresses(0..<60)))
        for round in 1...5 {
            let wanted = addresses((round * 10)..<(round * 10 + 60))
            try process.write(file: "a.json", addresses: Array(wanted.prefix(30)))
            try process.write(file: "b.json", addresses: Array(wanted.suffix(30)))
            try prometheus.wait(for: Set(wanted))
        }
        try process.write(collectors: Array(collectors.dropLast()))
        try process.wait(for: "/jobs/shop%2Fapi+v1/targets") { !$0.text.contains("\"col-2\"") }
        try prometheus.wait(for: Set(addresses(50..<110)))
        process.stop()
    }

    private func addresses(_ range: Range<Int>) -> [String] { range.map { "127.0.0.1:\(20000 + $0)" } }
}

/// Debian's prometheus on a folder of its own.
final class PrometheusProcess {
    private let process = Process()
    private let port: UInt16

    init(folder: URL, allocatorPort: UInt16, collectors: [String]) throws {
        port = try PlainHTTP.freePort()
        var config = "global: {scrape_interval: 1h}\nscrape_configs:\n"
        for collector in collectors {
            config += """
                - job_name: \(collector)
                  http_sd_configs:
                  - url: "http://127.0.0.1:\(allocatorPort)/jobs/shop%2Fapi+v1/targets?collector_id=\(collector)"
                    refresh_interval: 1s

                """
        }
        let file = folder.appending(path: "prometheus.yml")
        try config.write(to: file, atomically: true, encoding: .utf8)
        process.executableURL = URL(filePath: "/usr/bin/prometheus")
        process.arguments = [
            "--config.file=\(file.path())", "--storage.tsdb.path=\(folder.path())/tsdb",
            "--web.listen-address=127.0.0.1:\(port)",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }

    private struct Answer: Decodable {
        struct Data: Decodable { let activeTargets: [Target] }
        struct Target: Decodable {
            let labels: [String: String]
            let discoveredLabels: [String: String]
        }
        let data: Data
    }

    /// Asks until Prometheus holds exactly these addresses, none twice.
    func wait(for expected: Set<String>) throws {
        let deadline = Date.now.addingTimeInterval(60)
        var held: [String] = []
        while Date.now < deadline {
            if let answer = try? PlainHTTP.get(port: port, "/api/v1/targets?state=active"), answer.status == 200 {
                let targets = try JSONDecoder().decode(Answer.self, from: Data(answer.body)).data.activeTargets
                held = targets.map { $0.discoveredLabels["__address__"] ?? "" }
                if held.count == expected.count, Set(held) == expected { return }
            }
            // Prometheus refreshes once a second and tells nobody; this is the pause between two questions to it.
            usleep(50_000)
        }
        Issue.record(
            "Prometheus holds \(held.count) targets (\(Set(held).count) different), expected \(expected.count)")
        throw AllocatorProcess.Failure(description: "Prometheus does not agree")
    }
}
