//
// StrategyConfiguration.swift: which strategy is asked for, by the names of the configuration file.
//

/// The strategy that places targets.
package enum StrategyConfiguration: Sendable, Hashable {
    /// Upstream's default, in one of its two versions.
    case consistentHashing(ConsistentHashRing.Version)
    /// Fewest targets first; a target keeps its collector as long as that exists.
    case leastWeighted
    /// Even to within one target, by the fewest moves.
    case sticky(StickySettings = StickySettings())

    /// The name in `allocation_strategy` and in metrics.
    package var name: String {
        switch self {
        case .consistentHashing: "consistent-hashing"
        case .leastWeighted: "least-weighted"
        case .sticky: "sticky"
        }
    }

    /// Name, version and settings, for people.
    package var description: String {
        switch self {
        case .consistentHashing(let version): "\(name) \(version.rawValue)"
        case .leastWeighted: name
        case .sticky(let settings): settings.note.map { "\(name) (\($0))" } ?? name
        }
    }

    /// Name and settings; the ring's version is a setting of its own.
    package var nameWithSettings: String { ringVersion == nil ? description : name }

    package var ringVersion: ConsistentHashRing.Version? {
        switch self {
        case .consistentHashing(let version): version
        case .leastWeighted, .sticky: nil
        }
    }

    /// Reads a recorded rule. Nil for one that this program does not know.
    package init?(_ placement: Placement) {
        switch (placement.strategy, placement.ringVersion.map(ConsistentHashRing.Version.init(rawValue:))) {
        case ("consistent-hashing", let version??): self = .consistentHashing(version)
        case ("least-weighted", nil): self = .leastWeighted
        case ("sticky", nil):
            guard let settings = StickySettings(note: placement.note) else { return nil }
            self = .sticky(settings)
        default: return nil
        }
    }
}
