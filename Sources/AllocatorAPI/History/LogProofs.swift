//
// LogProofs.swift: what the proofs of the history API share: the key, the log's tree as far as it is known, and the gates
// that keep costly questions from being asked all at once.
//

import AllocationLedger
import PostgresDriver
import Synchronization

/// Shared by all routes that prove something.
package final class LogProofs: Sendable {
    /// Signs checkpoints; nil: there is no key.
    let signer: NoteSigner?
    let verification = Gate()
    let reading = Gate()
    let export = Gate()
    private let known = Mutex(LogTip())

    package init(signer: NoteSigner? = nil) { self.signer = signer }

    /// The log's tree as it is now. Only what was recorded since the last time is read.
    ///
    /// - Throws: ``LedgerError/corrupted(_:)`` when the log does not continue what was read before: then nothing is signed.
    func tip(_ connection: isolated PostgresConnection) async throws -> LogTip {
        let before = known.withLock(\.self)
        let tip = try await LogReader.tip(from: before, connection)
        known.withLock { if tip.tree.count > $0.tree.count { $0 = tip } }
        return tip
    }

    /// Reads what there is, so that the first question has little to read.
    package func prepare(_ reader: HistoryReader) async throws {
        _ = try await reader.read(deadline: .now + .seconds(600)) { connection in try await self.tip(connection) }
    }

    /// The signed checkpoint of a tree; nil without a key.
    func checkpoint(size: Int64, root: Digest32) throws -> String? {
        guard let signer else { return nil }
        return "\(try Checkpoint(origin: signer.name, size: size, root: root).signed(by: signer))"
    }
}

/// Lets one in at a time, and refuses the others.
final class Gate: Sendable {
    private let isTaken = Mutex(false)

    /// Leaves when it goes out of use, so that an answer that is never sent does not keep others out.
    final class Pass: Sendable {
        private let gate: Gate

        fileprivate init(_ gate: Gate) { self.gate = gate }

        deinit { gate.isTaken.withLock { $0 = false } }
    }

    /// - Throws: ``ProblemDetails`` of status 429 while another is in.
    func enter(_ what: String) throws(ProblemDetails) -> Pass {
        let isFree = isTaken.withLock { isTaken in
            defer { isTaken = true }
            return !isTaken
        }
        guard isFree else {
            throw ProblemDetails(
                status: 429, title: "Too Many Requests", detail: "Another \(what) is being answered. Ask again.",
                retryAfterSeconds: 5)
        }
        return Pass(self)
    }
}
