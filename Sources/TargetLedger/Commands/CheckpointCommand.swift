//
// CheckpointCommand.swift: `checkpoint`: the state of the log in three signed lines, to be kept elsewhere; and the key
// that signs them.
//

import AllocationLedger
import AllocatorRuntime
import ArgumentParser
import PostgresDriver
import PrometheusConfig

struct CheckpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint",
        abstract: "Print a signed checkpoint of the log, or make the key that signs it.",
        discussion: """
            A checkpoint (c2sp.org/tlog-checkpoint) is the number of revisions and the root over all of them. Kept where \
            the database's owner cannot reach it, it proves later that nothing up to there was changed or cut off: \
            `verify --checkpoint FILE`.
            """)

    @OptionGroup(title: "Database options") var database: DatabaseFlags
    @Option(name: .setting(.checkpointKeyFile), help: .setting(.checkpointKeyFile)) var checkpointKeyFile: String?
    @Option(
        name: .customLong("new-key"), parsing: .upToNextOption,
        help: ArgumentHelp(
            "Make a key of this name (the log's, such as example.com/ledger) in this new file; print its public half.",
            valueName: "name file"))
    var newKey: [String] = []

    func validate() throws {
        guard newKey.isEmpty || newKey.count == 2 else {
            throw ValidationError("--new-key takes the key's name and the file to make.")
        }
    }

    func run() async throws {
        if newKey.count == 2 {
            let key = try CheckpointFailure.naming { try CheckpointKeyFile.create(newKey[1], name: newKey[0]) }
            return Console.output.write("\(key)\n")
        }
        let given = database.given.merging([Setting.checkpointKeyFile: checkpointKeyFile].compactMapValues { $0 }) {
            $1
        }
        guard let path = try CheckpointSetting.keyFile(given) else {
            throw CommandFailure(
                .wrongUse,
                "no key signs checkpoints: set ledger.checkpoint_key_file or --checkpoint-key-file; `checkpoint --new-key` "
                    + "makes one")
        }
        let key = try CheckpointFailure.naming { try CheckpointKeyFile.read(path) }
        try await LedgerDatabase.read(database) { try await Self.write(key, to: .output, $0) }
    }

    static func write(_ key: NoteSigner, to console: Console, _ connection: isolated PostgresConnection) async throws {
        let tree = try await LogReader.tip(connection).tree
        let note = try Checkpoint(origin: key.name, size: tree.count, root: tree.root).signed(by: key)
        try console.send("\(note)")
    }
}

enum CheckpointFailure {
    /// Turns what is wrong with a key into how the command ends.
    static func naming<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as CheckpointKeyError {
            throw CommandFailure(.answerIsNo, error.description)
        } catch let error as NoteError {
            throw CommandFailure(.wrongUse, error.description)
        }
    }
}

enum CheckpointSetting {
    /// The file of the key; nil when none is named.
    static func keyFile(_ flags: [Setting: String]) throws(CommandFailure) -> String? {
        do {
            return try CheckpointKeySetting.file(ConfigurationSources(process: flags, fileIsOptional: true))
        } catch {
            throw CommandFailure(.answerIsNo, error.description)
        }
    }
}
