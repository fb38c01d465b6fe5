//
// Discoverer.swift: what a discovery mechanism is to the manager.
//

/// A running discovery of one section.
protocol Discoverer: Sendable {
    /// Discovers until the task is cancelled, and hands every round over as it ends, failed and unchanged ones too.
    func run(_ deliver: @escaping @Sendable (DiscoveryRound) -> Void) async
}

/// The end of one round.
struct DiscoveryRound: Sendable {
    /// Groups that differ from what was handed over before. A failed round may have some: of the sources that it could
    /// read. What it could not read stays as it was.
    var changes: [DocumentChange] = []
    var outcome: DiscoveryReport.Outcome
    /// Targets that the provider has now.
    var targetCount: Int
    var duration: Duration
    /// When the round ended, in microseconds since 1970.
    var finishedAt: Int64
    /// The provider has completed a first successful round, so what it did not hand over does not exist.
    var isSynchronised: Bool
}
