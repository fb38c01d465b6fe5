//
// ConfigurationDocument.swift: the configuration in force, as it is served and as it is recorded.
//

import AllocationCore
import AllocationLedger
import PrometheusConfig

/// One configuration's answer to `/scrape_configs` and its record in the ledger.
///
/// The record is a JSON object whose last member, `scrape_configs`, is byte for byte the redacted answer; so a restart
/// can serve from the ledger alone what it served before.
struct ConfigurationDocument: Sendable {
    let served: ScrapeConfigDocument
    let record: ConfigurationRecord

    private static let marker = #","scrape_configs":"#

    init(_ settings: WalkSettings) {
        let (scrapeConfigs, strategy) = (settings.scrapeConfigs, settings.strategy)
        let redacted = Self.render(scrapeConfigs, .redacted)
        served = ScrapeConfigDocument(redacted: redacted, clear: Self.render(scrapeConfigs, .clear))
        var text = #"{"allocation_strategy":"\#(strategy.name)""#
        if let ring = strategy.ringVersion { text += #","ring":"\#(ring.rawValue)""# }
        if case .sticky(let settings) = strategy {
            if let movesMax = settings.movesPerRevisionMax { text += #","max_moves_per_revision":\#(movesMax)"# }
            if settings.rebalanceAbove != 1 { text += #","rebalance_above":\#(settings.rebalanceAbove)"# }
        }
        text += #","filter_strategy":"\#(settings.filterTargets ? "relabel-config" : "")""#
        text += Self.marker + String(decoding: redacted, as: UTF8.self) + "}"
        record = ConfigurationRecord(redactedText: text)
    }

    /// The served part of a record; nil when it is not one of ours.
    static func served(from record: ConfigurationRecord) -> ScrapeConfigDocument? {
        let text = Array(record.redactedText.utf8)
        let marker = Array(Self.marker.utf8)
        // What stands before the marker is made of fixed words, so the first occurrence is the marker.
        guard text.last == UInt8(ascii: "}"), text.count > marker.count,
            let start = (0...(text.count - marker.count)).first(where: { text[$0...].starts(with: marker) })
        else { return nil }
        return ScrapeConfigDocument(redacted: Array(text[(start + marker.count)..<(text.count - 1)]), clear: nil)
    }

    private static func render(_ configs: [ScrapeConfig], _ secrets: SecretRendering) -> [UInt8] {
        var output: [UInt8] = [UInt8(ascii: "{")]
        for (index, config) in configs.sorted(by: { ByteOrder.precedes($0.jobName, $1.jobName) }).enumerated() {
            let config = secrets == .redacted ? config.withoutURLPasswords : config
            if index > 0 { output.append(UInt8(ascii: ",")) }
            JSONText.appendQuoted(config.jobName, to: &output)
            output.append(UInt8(ascii: ":"))
            config.json(secrets: secrets, into: &output)
        }
        output.append(UInt8(ascii: "}"))
        return output
    }
}
