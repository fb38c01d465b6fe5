//
// ScrapeConfigDocument.swift: the answer of /scrape_configs, rendered once per configuration.
//

import AllocationLedger

/// Both renderings of the scrape configuration (spec/target-allocator.md 4.3 and 5).
package struct ScrapeConfigDocument: Sendable, Hashable {
    /// JSON object job → scrape config with every secret as `<secret>`.
    package let redacted: [UInt8]
    /// The same with secrets in clear; nil when this process knows only what the ledger holds, which has no secret.
    package let clear: [UInt8]?

    /// The answer as a configuration's recorded text holds it; nil when it is not one of ours.
    package init?(recorded text: String) {
        guard let document = ConfigurationDocument.served(from: ConfigurationRecord(redactedText: text)) else {
            return nil
        }
        self = document
    }

    package init(redacted: [UInt8], clear: [UInt8]?) {
        self.redacted = redacted
        self.clear = clear
    }
}
