//
// ReadmeExamples.swift: the fenced blocks of README.md.
//

import Foundation

/// What README shows, block by block.
struct ReadmeExamples {
    struct Block: Sendable {
        var language: String
        var lines: [String]
        /// Where the block begins, for messages.
        var line: Int

        var text: String { lines.joined(separator: "\n") + "\n" }
    }

    /// One command of a session and what it is said to print.
    struct Step {
        var command: String
        var output: [String]
        /// Where the command stands, counted from 1.
        var line: Int
    }

    /// Set to bring README up to date instead of comparing with it.
    static let isWritten = ProcessInfo.processInfo.environment["TARGET_LEDGER_WRITE_README"] != nil

    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    let text: String
    let blocks: [Block]

    init() throws {
        text = try String(contentsOf: Self.repository.appending(path: "README.md"), encoding: .utf8)
        var blocks: [Block] = []
        var open: Block?
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix("```") {
                if let block = open {
                    blocks.append(block)
                    open = nil
                } else {
                    open = Block(language: String(line.dropFirst(3)), lines: [], line: index + 1)
                }
            } else {
                open?.lines.append(String(line))
            }
        }
        self.blocks = blocks
    }

    /// The sessions in their order, as one: later ones build on earlier ones.
    var steps: [Step] {
        blocks.filter { $0.language == "console" }.flatMap { block in
            var steps: [Step] = []
            for (offset, line) in block.lines.enumerated() {
                if line.hasPrefix("$ ") {
                    steps.append(Step(command: String(line.dropFirst(2)), output: [], line: block.line + 1 + offset))
                } else if let last = steps.indices.last {
                    steps[last].output.append(line)
                }
            }
            return steps
        }
    }

    /// Writes what the steps print now into README.
    func write(_ outputs: [(step: Step, printed: [String])]) throws {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        for (step, printed) in outputs.reversed() {
            lines.replaceSubrange(step.line..<step.line + step.output.count, with: printed)
        }
        try Self.write(lines.joined(separator: "\n"))
    }

    static func write(_ text: String) throws {
        try text.write(to: repository.appending(path: "README.md"), atomically: true, encoding: .utf8)
    }
}
