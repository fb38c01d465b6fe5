//
// App.swift: the executable `target-ledger`: which commands there are, and with which status it ends.
//

import ArgumentParser
import Glibc
import PrometheusConfig

@main
struct App: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "target-ledger",
        abstract: "An OpenTelemetry target allocator that remembers.",
        discussion: """
            Without a command it serves, so that it starts with the flags of the allocator whose place it takes: see \
            `target-ledger serve --help`.

            Exit status: 0 done, 1 the answer is no, 2 wrong use, 3 what it needs could not be reached.
            """,
        subcommands: [
            Serve.self, History.self, Moves.self, State.self, Diff.self, Why.self, Explain.self, ReportCommand.self,
            Export.self, Verify.self, CheckpointCommand.self, Prove.self, Retention.self, Migrate.self,
            CheckConfig.self,
        ],
        defaultSubcommand: Serve.self)

    static func main() async {
        // A reader that closes its pipe early ends the program quietly, see Console.
        signal(SIGPIPE, SIG_IGN)
        do {
            try refuseUnknownCommand(CommandLine.arguments.dropFirst().first)
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            ExitStatus.end(with: error)
        }
    }

    /// A mistyped command must not come to mean an argument of `serve`.
    private static func refuseUnknownCommand(_ word: String?) throws(CommandFailure) {
        let names = configuration.subcommands.map { $0._commandName }
        guard let word, !word.hasPrefix("-"), word != "help", !names.contains(word) else { return }
        let hint = NearestKey.find(word, among: names).map { "; did you mean \($0)?" } ?? ""
        throw CommandFailure(
            .wrongUse, "unknown command \(String(reflecting: word))\(hint)\nCommands: \(names.joined(separator: ", "))")
    }
}
