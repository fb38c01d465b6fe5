//
// StickySettings.swift: how far the strategy `sticky` goes at a time to even out the load.
//
// Both are part of the recorded rule, in words that stand in the placement's note, so that whoever loads the ledger, or
// reads it years later, knows by which rule targets were moved.
//

/// What `sticky` may be told. By default it keeps fullest and emptiest within one target of each other in every revision.
package struct StickySettings: Sendable, Hashable {
    /// Targets that one revision may move between collectors that stay; nil: as many as it takes. What is left behind by a
    /// collector that went is placed at once in any case.
    package var movesPerRevisionMax: Int?
    /// Targets that the fullest collector may have more than the emptiest before anything is moved; then all is evened
    /// out, to within one. 1 or more. Where the moves of a revision are bounded as well, further revisions follow only while
    /// the difference is greater than this: whether to go on has to show in what is recorded, or a restart would differ.
    package var rebalanceAbove: Int

    package init(movesPerRevisionMax: Int? = nil, rebalanceAbove: Int = 1) {
        self.movesPerRevisionMax = movesPerRevisionMax
        self.rebalanceAbove = rebalanceAbove
    }

    private static let movesKey = "max_moves_per_revision"
    private static let rebalanceKey = "rebalance_above"

    /// `max_moves_per_revision: 100, rebalance_above: 10`; nil when both are the default.
    package var note: String? {
        let defaults = StickySettings()
        var parts: [String] = []
        if let movesPerRevisionMax { parts.append("\(Self.movesKey): \(movesPerRevisionMax)") }
        if rebalanceAbove != defaults.rebalanceAbove { parts.append("\(Self.rebalanceKey): \(rebalanceAbove)") }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    /// Reads a ``note`` again; nil when it is none.
    package init?(note: String?) {
        self.init()
        for part in (note ?? "").split(separator: ", ") {
            let words = part.split(separator: ": ", maxSplits: 1)
            guard words.count == 2, let number = Int(words[1]), number > 0 else { return nil }
            switch words[0] {
            case Self.movesKey: movesPerRevisionMax = number
            case Self.rebalanceKey: rebalanceAbove = number
            default: return nil
            }
        }
    }
}
