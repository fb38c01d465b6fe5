//
// RecordedConfiguration.swift: what the text of a recorded configuration says about jobs.
//

import Foundation

/// A configuration as the ledger has it.
package enum RecordedConfiguration {
    private struct Job: Decodable {
        var relabelConfigs: [Rule]?

        enum CodingKeys: String, CodingKey { case relabelConfigs = "relabel_configs" }
    }

    private struct Rule: Decodable {
        var action: String?
        var regex: String?
        var sourceLabels: [String]?

        enum CodingKeys: String, CodingKey {
            case action, regex
            case sourceLabels = "source_labels"
        }

        var text: String {
            var parts = [action ?? "replace"]
            if let sourceLabels, !sourceLabels.isEmpty { parts.append(sourceLabels.joined(separator: ",")) }
            if let regex { parts.append("=~ \(regex)") }
            return parts.joined(separator: " ")
        }
    }

    private static let droppingActions: Set = ["drop", "keep", "dropequal", "keepequal"]

    /// The jobs, and which of each job's rules can drop a target; nil for a text that is no configuration.
    package static func rulesThatDrop(in text: String) -> [String: [String]]? {
        guard let document = ScrapeConfigDocument(recorded: text),
            let jobs = try? JSONDecoder().decode([String: Job].self, from: Data(document.redacted))
        else { return nil }
        // Rules that the allocator does not apply drop nothing.
        guard text.contains(#""filter_strategy":"relabel-config""#) else { return jobs.mapValues { _ in [] } }
        return jobs.mapValues { job in
            (job.relabelConfigs ?? []).filter { droppingActions.contains(($0.action ?? "").lowercased()) }.map(\.text)
        }
    }
}
