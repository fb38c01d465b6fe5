//
// StrategyConfiguration.swift: which strategy is asked for, by the names of the configuration file.
//

/// The strategy that places targets.
package enum StrategyConfiguration: Sendable, Hashable {
    /// Upstream's default, in one of its two versions.
    case consistentHashing(ConsistentHashRing.Version)
    /// Fewest targets first; a target keeps its collector as long as that exists.
    case leastWeighted

    /// The name in `allocation_strategy` and in metrics.
    package var name: String {
        switch self {
        case .consistentHashing: "consistent-hashing"
        case .leastWeighted: "least-weighted"
        }
    }

    /// Name and version, for people.
    package var description: String { ringVersion.map { "\(name) \($0.rawValue)" } ?? name }

    package var ringVersion: ConsistentHashRing.Version? {
        switch self {
        case .consistentHashing(let version): version
        case .leastWeighted: nil
        }
    }
}
