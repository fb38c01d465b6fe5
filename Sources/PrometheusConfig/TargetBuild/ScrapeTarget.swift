//
// ScrapeTarget.swift: what a Prometheus server, or the collector's receiver, makes of one discovered target.
//
// The allocator itself only needs TargetBuilder. This is the whole way to the scraped URL, for telling a user why a
// target that was allocated is not scraped, or under which labels. One target at a time, in dictionaries.
//
// Rules, their order and messages: spec/prometheus-relabel.md 9, after Prometheus v3.14 scrape/target.go.
//

import AllocationCore

/// A target as it is scraped.
package struct ScrapeTarget: Sendable, Equatable {
    /// After relabeling, without `__meta_` labels; those that start with `__` are not put on series.
    package var labels: [String: String]
    package var url: String

    package enum Outcome: Sendable, Equatable {
        case scraped(ScrapeTarget)
        /// The rule with this index dropped it.
        case dropped(ruleIndex: Int)
        /// It is discarded, alone.
        case failed(ScrapeTargetError)
    }

    /// The way of one target.
    package struct History: Sendable, Equatable {
        /// Labels before relabeling, as target pages show them.
        package var discovered: [String: String]
        package var outcome: Outcome
    }

    /// Goes the whole way from discovery to the scraped target.
    ///
    /// - Parameters:
    ///   - own: The target's own labels.
    ///   - group: Its group's labels; they count where `own` has no label of that name.
    ///   - table: Where the labels are interned while the rules run.
    /// - Throws: A rule that Prometheus would refuse.
    package static func populate(
        own: [String: String], group: [String: String], settings: ScrapeTargetSettings, table: LabelTable
    ) throws(RelabelConfigError) -> History {
        var discovered = group.merging(own) { _, own in own }
        for seed in settings.seeds where discovered[seed.name, default: ""].isEmpty {
            discovered[seed.name] = seed.value
        }
        discovered = discovered.filter { !$0.value.isEmpty }

        let relabeling = try CompiledRelabeling(settings.rules, scheme: settings.validationScheme, table: table)
        let base = LabelSet(discovered, in: table)
        var scratch = RelabelScratch()
        if let ruleIndex = relabeling.run(on: base, scratch: &scratch) {
            return History(discovered: discovered, outcome: .dropped(ruleIndex: ruleIndex))
        }
        var labels: [String: String] = [:]
        for label in scratch.labels(over: base, in: table) { labels[label.name] = label.value }
        do throws(ScrapeTargetError) {
            return History(discovered: discovered, outcome: .scraped(try finish(labels, settings)))
        } catch {
            return History(discovered: discovered, outcome: .failed(error))
        }
    }

    /// Checks the relabelled labels and completes them.
    private static func finish(
        _ relabelled: [String: String], _ settings: ScrapeTargetSettings
    ) throws(ScrapeTargetError) -> ScrapeTarget {
        var labels = relabelled
        let address = labels["__address__", default: ""]
        if address.isEmpty { throw .noAddress }
        if address.utf8.contains(UInt8(ascii: "/")) { throw .invalidAddress(address) }
        try checkTiming(labels)
        for name in [
            ScrapeTargetSettings.convertLabel, ScrapeTargetSettings.nativeLabel, ScrapeTargetSettings.alwaysLabel,
        ] {
            guard let text = labels[name] else { continue }
            if !["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"].contains(text) {
                throw .invalidBoolean(label: name, text)
            }
        }
        labels = labels.filter { !$0.key.utf8.starts(with: "__meta_".utf8) }
        if labels["instance", default: ""].isEmpty { labels["instance"] = address }
        return ScrapeTarget(labels: labels, url: ScrapeURL.text(labels, params: settings.params))
    }

    private static func checkTiming(_ labels: [String: String]) throws(ScrapeTargetError) {
        let (intervalText, timeoutText) = (
            labels["__scrape_interval__", default: ""], labels["__scrape_timeout__", default: ""]
        )
        let interval = try duration(intervalText, .interval)
        let timeout = try duration(timeoutText, .timeout)
        if timeout > interval { throw .timeoutGreaterThanInterval(timeout: timeoutText, interval: intervalText) }
    }

    private static func duration(
        _ text: String, _ kind: ScrapeTargetError.Timing
    ) throws(ScrapeTargetError) -> PrometheusDuration {
        let duration: PrometheusDuration
        do throws(ValueError) {
            duration = try PrometheusDuration(parsing: text)
        } catch {
            throw .invalidTiming(kind, reason: error.description)
        }
        if duration == .zero { throw .zeroTiming(kind) }
        return duration
    }
}

/// Why a target that relabeling kept is not scraped. The description is Prometheus' own message.
package enum ScrapeTargetError: Error, Equatable, CustomStringConvertible {
    package enum Timing: String, Sendable {
        case interval, timeout
    }

    case noAddress
    case invalidAddress(String)
    case invalidTiming(Timing, reason: String)
    case zeroTiming(Timing)
    case timeoutGreaterThanInterval(timeout: String, interval: String)
    case invalidBoolean(label: String, String)

    package var description: String {
        switch self {
        case .noAddress: "no address"
        case .invalidAddress(let address): "\(address.goQuoted) is not a valid hostname"
        case .invalidTiming(let timing, let reason): "error parsing scrape \(timing.rawValue): \(reason)"
        case .zeroTiming(let timing): "scrape \(timing.rawValue) cannot be 0"
        case .timeoutGreaterThanInterval(let timeout, let interval):
            "scrape timeout cannot be greater than scrape interval (\(timeout.goQuoted) > \(interval.goQuoted))"
        case .invalidBoolean(let label, let text): "error parsing \(label): \(text.goQuoted) is no boolean"
        }
    }
}
