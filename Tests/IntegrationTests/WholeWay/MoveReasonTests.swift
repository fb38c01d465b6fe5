//
// MoveReasonTests.swift: a collector leaves and comes back; every moved target has its row and its reason.
//

import AllocationCore
import Foundation
import Testing

/// Goal: `moves` tells for each moved target when, why, from where, whether direct or by cascade, and its partition; as
/// many as the ring predicts.
///
/// Method: the real executable; the prediction comes from ConsistentHashRing, which the vectors pin to upstream's library.
@ProcessTests @Suite struct MoveReasonTests {
    @Test("Removing and adding a collector is recorded target by target", arguments: ["v1", "v0"])
    func moves(version: String) throws {
        let ring = try #require(ConsistentHashRing.Version(rawValue: version))
        let names = (0..<5).map { "otelcol-collector-\($0)" }
        let addresses = (0..<400).map { "10.1.\($0 / 100).\($0 % 100):9100" }
        let process = try AllocatorProcess(jobs: "    - {job_name: shop, file_sd_configs: [{files: [PLACE]}]}")
        let config = try String(contentsOf: process.folder.appending(path: "config.yaml"), encoding: .utf8)
            .replacingOccurrences(of: "PLACE", with: "\(process.folder.path())/targets/*.json")
        try process.write("config.yaml", config + "\n  ring: \(version)\n")
        try process.write(collectors: names)
        try process.write(file: "a.json", addresses: addresses)
        try process.start()
        try process.wait(for: "/jobs/shop/targets") { $0.text.contains(addresses[399]) }

        try process.write(collectors: Array(names.dropLast()))
        try process.wait(for: "/jobs/shop/targets") { !$0.text.contains("otelcol-collector-4") }
        try process.write(collectors: names)
        try process.wait(for: "/jobs/shop/targets") { $0.text.contains("otelcol-collector-4") }

        let answer = try process.run(["moves", "--output", "json", "--limit", "100000"])
        #expect(answer.status == 0, "\(answer.errors)")
        let rows = try JSONDecoder().decode([Move].self, from: Data(answer.output.utf8))
        let full = ConsistentHashRing(members: names, version: ring)
        let smaller = ConsistentHashRing(members: names.dropLast(), version: ring)
        let expected = addresses.filter { full.owner(of: $0) != smaller.owner(of: $0) }
        let direct = expected.filter { full.owner(of: $0) == names[4] }
        let between = rows.filter { $0.from != nil && $0.to != nil }
        #expect(between.count == 2 * expected.count)
        #expect(between.filter { $0.reason == "collector_left" }.count == direct.count)
        #expect(between.filter { $0.reason == "collector_joined" }.count == direct.count)
        #expect(between.filter { $0.reason == "cascade_load_bound" }.count == 2 * (expected.count - direct.count))
        for move in between {
            #expect(move.partition == ConsistentHashRing.partition(of: move.address))
            #expect(move.cause == "membership")
            let leaving =
                move.reason == "collector_left"
                || (move.reason == "cascade_load_bound" && move.from == full.owner(of: move.address))
            #expect(move.from == (leaving ? full : smaller).owner(of: move.address), "\(move)")
            #expect(move.to == (leaving ? smaller : full).owner(of: move.address), "\(move)")
        }
        // A plain table for people says the same.
        let table = try process.run(["moves", "--reason", "collector_left", "--limit", "5"])
        #expect(table.output.contains("collector_left"))
        #expect(table.output.contains("otelcol-collector-4"))
        process.stop()
        // With every allocator down the answer is the same.
        let later = try process.run(["moves", "--output", "json", "--limit", "100000"])
        #expect(later.output == answer.output)
    }

    struct Move: Decodable {
        let revision: Int
        let job: String
        let address: String
        let from: String?
        let to: String?
        let reason: String
        let cause: String
        let partition: Int?
    }
}
