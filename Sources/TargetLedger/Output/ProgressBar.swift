//
// ProgressBar.swift: shows on a terminal how far long work has come; elsewhere it is silent.
//

/// One line of standard error that is written over as work goes on.
struct ProgressBar {
    private let label: String
    private let console: Console
    private let clock = ContinuousClock()
    private let isWanted: Bool
    private var shown: (at: ContinuousClock.Instant, width: Int)?

    /// - Parameter isWanted: False: silent even on a terminal.
    init(_ label: String, on console: Console = .error, isWanted: Bool = true) {
        self.label = label
        self.console = console
        self.isWanted = isWanted && console.isTerminal
    }

    /// Shows `done` of `total`, at most ten times a second.
    mutating func advance(to done: Int64, of total: Int64) {
        guard isWanted, total > 0 else { return }
        let now = clock.now
        if let shown, now - shown.at < .milliseconds(100), done < total { return }
        let line = Self.line(label, done: done, of: total)
        console.write("\r" + line)
        shown = (now, line.count)
    }

    /// Takes the line away.
    mutating func clear() {
        guard let width = shown?.width else { return }
        console.write("\r" + String(repeating: " ", count: width) + "\r")
        shown = nil
    }

    static func line(_ label: String, done: Int64, of total: Int64) -> String {
        let share = Double(min(max(done, 0), total)) / Double(total)
        let filled = Int(share * 30)
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled)
        return "\(label) [\(bar)] \(Int(share * 100)) % (\(done) of \(total))"
    }
}
