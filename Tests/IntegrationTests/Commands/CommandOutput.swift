//
// CommandOutput.swift: a ledger with a small incident in it, and what a command prints about it.
//

import AllocationCore
import AllocationLedger
import AllocatorAPI
import Foundation
import Glibc
import PostgresDriver
import TestSupport

@testable import TargetLedger

extension LedgerFixture {
    /// What `body` writes to its console, which is no terminal, and what it returns.
    func printed<Value: Sendable>(
        _ body: @Sendable (Console, isolated PostgresConnection) async throws -> Value
    ) async throws -> (text: String, value: Value) {
        let file = FileManager.default.temporaryDirectory.appending(path: "output-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let descriptor = open(file.path(), O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        let console = Console(descriptor: descriptor)
        let value = try await LedgerDatabase.read(configuration, logger: TestPostgres.logger) { connection in
            try await body(console, connection)
        }
        return (try String(contentsOf: file, encoding: .utf8), value)
    }

    /// The rows of NDJSON that `body` writes.
    func objects(
        _ body: @Sendable (Console, isolated PostgresConnection) async throws -> Void
    ) async throws -> [[String: JSONCell]] {
        try await printed(body).text.split(separator: "\n").map { line in
            try JSONDecoder().decode([String: JSONCell].self, from: Data(line.utf8))
        }
    }

    /// Who has each address of the state in memory.
    var holders: [String: String?] {
        let collectors = state.collectorTable
        var holders: [String: String?] = [:]
        state.forEachTarget { _, _, target in
            guard let address = target.address.map(table.value) else { return }
            holders[address] = .some(target.collector.map { collectors[Int($0.rawValue)].name })
        }
        return holders
    }

    /// Revisions: 1 collectors a, b, c come; 2 twelve targets; 3 c leaves; 4 the first two get other labels, the first
    /// under a new identity; 5 the third is gone; 6 d joins.
    ///
    /// - Returns: Who had each address at each revision, 1 first.
    mutating func recordIncident() async throws -> [[String: String?]] {
        var past: [[String: String?]] = []
        try await append(collectors(["a", "b", "c"]), cause: .membership)
        past.append(holders)
        var targets = (0..<12).map { target($0) }
        try await append(discover(targets))
        past.append(holders)
        try await append(collectors(["a", "b"]), cause: .membership, detail: "c is gone")
        past.append(holders)
        let relabelled = labels(0, generation: 1)
        targets[0] = IdentifiedTarget(
            identity: TargetIdentity(rawValue: 4242), labels: relabelled, address: targets[0].address)
        targets[1] = target(1, generation: 1)
        try await append(discover(targets))
        past.append(holders)
        targets.remove(at: 2)
        try await append(discover(targets))
        past.append(holders)
        try await append(collectors(["a", "b", "d"]), cause: .membership, detail: "d is new")
        past.append(holders)
        return past
    }
}

/// A value of a row as JSON has it.
enum JSONCell: Decodable, Equatable {
    case text(String)
    case number(Double)
    case boolean(Bool)
    case list([JSONCell])
    case object([String: JSONCell])
    case null

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let boolean = try? container.decode(Bool.self) {
            self = .boolean(boolean)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let list = try? container.decode([JSONCell].self) {
            self = .list(list)
        } else {
            self = .object(try container.decode([String: JSONCell].self))
        }
    }

    var text: String? { if case .text(let text) = self { text } else { nil } }
    var number: Int? { if case .number(let number) = self { Int(number) } else { nil } }
    var list: [JSONCell] { if case .list(let list) = self { list } else { [] } }
}
