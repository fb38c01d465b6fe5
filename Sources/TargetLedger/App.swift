//
// App.swift: the executable `target-ledger`: which commands there are, and with which status it ends.
//

import ArgumentParser

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
        subcommands: [Serve.self, Migrate.self, CheckConfig.self, Verify.self, Moves.self],
        defaultSubcommand: Serve.self)

    static func main() async {
        do {
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
}
