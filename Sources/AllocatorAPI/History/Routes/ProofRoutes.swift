//
// ProofRoutes.swift: verification within bounds, signed checkpoints, proofs.
//

import AllocationLedger
import PostgresDriver

extension HistoryRoute {
    static let proofs: [HistoryRoute] = [verify, checkpoint, inclusion, consistency]

    /// What one request may have verified; all of it is the command's.
    private static let revisionsMax: Int64 = 10_000
    private static let eventsMax: Int64 = 500_000

    private static let verify = HistoryRoute(
        path: "\(prefix)/verify",
        summary: "Whether revisions of a window, and what they name, are as they were recorded; the last day when no "
            + "window is given.",
        parameters: HistoryParameter.window,
        contents: [("application/json", JSONShape<BoundedVerification>.verification.reference)],
        components: JSONShape<BoundedVerification>.verification.components
    ) { question, source in
        let pass = try source.proofs.verification.enter("verification")
        defer { withExtendedLifetime(pass) {} }
        let outcome = try await source.read { connection in try await verification(question, connection) }
        return .json(.verification, outcome)
    }

    private static func verification(
        _ question: HistoryQuestion, _ connection: isolated PostgresConnection
    ) async throws -> BoundedVerification {
        var window = try await question.window(connection)
        if window.since == nil { window.since = (window.until ?? .now()).advanced(by: .seconds(-86_400)) }
        let row = try await connection.query(
            """
            SELECT min(revision), max(revision), coalesce(sum(target_events + collector_events), 0)::bigint \
            FROM ledger.revision WHERE at >= \(window.since) AND at < \(window.until ?? .distantFuture)
            """
        ).first
        guard let row, let first = try row.decode(0, as: Int64?.self), let last = try row.decode(1, as: Int64?.self)
        else { return BoundedVerification() }
        let events = try row.decode(2, as: Int64.self)
        guard last - first < revisionsMax, events <= eventsMax else {
            throw ProblemDetails.badParameter(
                "since",
                "opens a window of \(last - first + 1) revisions with \(events) events; one request verifies at most "
                    + "\(revisionsMax) with \(eventsMax), and `target-ledger verify` all")
        }
        return BoundedVerification(
            revisions: first...last, report: try await ChainVerifier.verify(revisions: first...last, connection))
    }

    private static let checkpoint = HistoryRoute(
        path: "\(prefix)/checkpoint",
        summary: "The signed checkpoint of the log as it is now (c2sp.org/tlog-checkpoint).", parameters: [],
        contents: [("text/plain", .text())], components: [:]
    ) { _, source in
        guard source.proofs.signer != nil else {
            throw ProblemDetails(
                status: 404, title: "Not Found",
                detail: "No key signs checkpoints: ledger.checkpoint_key_file names none.")
        }
        let pass = try source.proofs.reading.enter("checkpoint or proof")
        defer { withExtendedLifetime(pass) {} }
        let tip = try await source.read { connection in try await source.proofs.tip(connection) }
        guard tip.tree.count > 0 else { throw HistoryError.nothingRecorded }
        let note = try source.proofs.checkpoint(size: tip.tree.count, root: tip.tree.root) ?? ""
        return .text(contentType: "text/plain; charset=utf-8", note)
    }

    private static let size = HistoryParameter(
        name: "size", form: .revision, description: "Of the log as it was with so many revisions; all when left out.")

    private static let inclusion = HistoryRoute(
        path: "\(prefix)/revisions/{revision}/proof", summary: "The proof that a revision is in the log.",
        parameters: [.path("revision", .revision, "Its number."), size],
        contents: [("application/json", JSONShape<Checkpointed<InclusionProof>>.inclusion.reference)],
        components: JSONShape<Checkpointed<InclusionProof>>.inclusion.components
    ) { question, source in
        let revision = try question.revision("revision") ?? Revision(0)
        let size = try question.revision("size")
        if let size, size.number < revision.number {
            throw ProblemDetails.badParameter("size", "is smaller than the revision's number")
        }
        let pass = try source.proofs.reading.enter("checkpoint or proof")
        defer { withExtendedLifetime(pass) {} }
        let proof = try await source.read { connection in
            try await LogReader.inclusion(of: revision, size: size?.number, connection)
        }
        let checkpoint = try source.proofs.checkpoint(size: proof.size, root: proof.root)
        return .json(.inclusion, Checkpointed(proof: proof, checkpoint: checkpoint))
    }

    private static let consistency = HistoryRoute(
        path: "\(prefix)/consistency", summary: "The proof that the log continues what it was before.",
        parameters: [
            HistoryParameter(name: "first", form: .revision, description: "Revisions in the log before.").required(),
            HistoryParameter(name: "second", form: .revision, description: "Revisions after; all when left out."),
        ],
        contents: [("application/json", JSONShape<Checkpointed<ConsistencyProof>>.consistency.reference)],
        components: JSONShape<Checkpointed<ConsistencyProof>>.consistency.components
    ) { question, source in
        let first = try question.revision("first") ?? Revision(0)
        let second = try question.revision("second")
        if let second, second.number < first.number {
            throw ProblemDetails.badParameter("second", "is smaller than first")
        }
        let pass = try source.proofs.reading.enter("checkpoint or proof")
        defer { withExtendedLifetime(pass) {} }
        let proof = try await source.read { connection in
            try await LogReader.consistency(first: first.number, second: second?.number, connection)
        }
        let checkpoint = try source.proofs.checkpoint(size: proof.second, root: proof.secondRoot)
        return .json(.consistency, Checkpointed(proof: proof, checkpoint: checkpoint))
    }
}

extension HistoryAnswer {
    /// One object.
    static func json<Value>(_ shape: JSONShape<Value>, _ value: Value) -> HistoryAnswer {
        var json = JSONWriter()
        shape.write(value, to: &json)
        json.newline()
        return .json(json.buffer)
    }
}
