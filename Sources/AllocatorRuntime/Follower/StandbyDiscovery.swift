//
// StandbyDiscovery.swift: whether a process discovers while another one leads.
//

import AsyncAlgorithms

/// What a process that does not lead discovers.
package enum StandbyDiscovery: String, Sendable, CaseIterable {
    /// Everything: what is found is let go of, and is there when it leads.
    case warm
    /// Nothing: discovery begins with its first term, and goes on from then.
    case cold
}

/// Holds discovery back until the process leads for the first time.
struct DiscoveryGate: Sendable {
    private let opened: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init(_ discovery: StandbyDiscovery) {
        (opened, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        if discovery == .warm { open() }
    }

    func open() { continuation.finish() }

    /// Returns once it is open; one task waits.
    func wait() async throws {
        for await _ in opened {}
        try Task.checkCancellation()
    }
}
