//
// ReadmeTests.swift: README.md, taken at its word.
//

import AllocatorRuntime
import Foundation
import Testing

/// Goal: what README says happens, happens, and its tables are the program's own.
///
/// Method: every fenced block is looked up or run. Sessions run in a folder of their own with a copy of deploy/; what
/// they print is compared line by line, with times, revision numbers and the width of columns left out.
@Suite(.serialized) struct ReadmeTests {
    private let readme: ReadmeExamples

    init() throws { readme = try ReadmeExamples() }

    @Test("The settings table is the program's")
    func settings() throws {
        let (begin, end) = ("<!-- settings: begin -->\n", "<!-- settings: end -->")
        let start = try #require(readme.text.firstRange(of: begin)).upperBound
        let rest = readme.text[start...]
        let table = rest[..<(try #require(rest.firstRange(of: end)).lowerBound)]
        guard !ReadmeExamples.isWritten else {
            return try ReadmeExamples.write(
                readme.text.replacingCharacters(in: start..<table.endIndex, with: Setting.markdownTable))
        }
        #expect(
            table == Setting.markdownTable,
            "write it anew: TARGET_LEDGER_WRITE_README=1 swift test --filter ReadmeTests")
    }

    @Test("The scripts it names are there and can be run")
    func scripts() throws {
        let commands = readme.blocks.filter { $0.language == "sh" }.flatMap(\.lines)
        #expect(commands == ["deploy/local/up", "Tests/run"])
        for command in commands {
            let path = ReadmeExamples.repository.appending(path: command).path()
            #expect(FileManager.default.isExecutableFile(atPath: path))
        }
    }

    @Test("Every configuration it shows is accepted")
    func configurations() throws {
        let blocks = readme.blocks.filter { $0.language == "yaml" }
        #expect(!blocks.isEmpty)
        for block in blocks {
            let file = FileManager.default.temporaryDirectory.appending(path: "readme-\(UUID().uuidString).yaml")
            defer { try? FileManager.default.removeItem(at: file) }
            try block.text.write(to: file, atomically: true, encoding: .utf8)
            let configuration = try AllocatorConfiguration(ConfigurationSources(flags: [.configFile: file.path()]))
            #expect(configuration.warnings.isEmpty, "README.md:\(block.line)")
        }
    }

    @Test("Every module is named, in its layer's order")
    func modules() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: ReadmeExamples.repository.appending(path: "Sources").path())
        for module in folders where !module.hasPrefix("EmbedMigrations") {
            #expect(readme.text.contains("`\(module)`"), "README does not say what \(module) is")
        }
    }

    @Test("Every metric it names is the program's", .timeLimit(.minutes(5)))
    func metrics() throws {
        let names = Set(readme.text.matches(of: /target_ledger_[a-z_]+/).map { String($0.0) })
        #expect(names.count > 10)
        let example = try ExampleProcess()
        try example.start(flags: [])
        func missing(_ lines: [String]) -> [String] {
            names.filter { name in !lines.contains { $0.hasPrefix("# TYPE \(name) ") } }.sorted()
        }
        // One of them is there from the first revision on.
        #expect(missing(try example.printed(by: "curl localhost:8080/metrics") { missing($0).isEmpty }) == [])
    }

    @Test("Every session prints what it is said to print", .timeLimit(.minutes(5)))
    func sessions() throws {
        let example = try ExampleProcess()
        var outputs: [(step: ReadmeExamples.Step, printed: [String])] = []
        #expect(!readme.steps.isEmpty)
        for step in readme.steps {
            if let flags = step.command.wholeMatch(of: /deploy\/local\/up(?: -- (.*))?/) {
                try example.start(flags: flags.1?.split(separator: " ").map(String.init) ?? [])
                continue
            }
            guard try !example.takes(step.command) else { continue }
            let expected = Self.normalised(step.output)
            let printed = try example.printed(by: step.command) { Self.normalised($0) == expected }
            outputs.append((step, printed))
            guard !ReadmeExamples.isWritten else { continue }
            #expect(
                Self.normalised(printed) == expected,
                "README.md:\(step.line): \(step.command)\n\(printed.joined(separator: "\n"))")
        }
        if ReadmeExamples.isWritten { try readme.write(outputs) }
    }

    /// Lines without what differs from run to run, in an order of their own: revisions may share a moment.
    static func normalised(_ lines: [String]) -> [String] {
        lines.map { line in
            line.replacing(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/, with: "TIME")
                .replacing(/TIME[ ]+\d+/, with: "TIME REVISION")
                .replacing(/TIME,\d+/, with: "TIME,REVISION")
                .replacing(/\d+ revisions/, with: "N revisions")
                .replacing(/revision \d+/, with: "revision N")
                .replacing(/version \d+$/, with: "version N")
                .replacing(/hold \d+/, with: "hold N")
                .replacing(/following \S+:\d+/, with: "following ADDRESS")
                .replacing(/[0-9a-f]{64}/, with: "DIGEST")
                .replacing(/_\d{8}/, with: "_DAY")
                // Keys, roots and signatures of checkpoints, and how many revisions they cover.
                .replacing(/\+[0-9a-f]{8}\+/, with: "+ID+")
                .replacing(/[A-Za-z0-9+\/]{40,}=*/, with: "BASE64")
                .replacing(/^\d+$/, with: "N")
                // The jobs' first targets may come in one revision or in two.
                .replacing("files, target-ledger", with: "files")
                .replacing(/[ ]+/, with: " ")
                .replacing(/[ ]$/, with: "")
        }.filter { !$0.isEmpty }.sorted()
    }
}
