//
// ProofShapes.swift: verifications and proofs, as JSON.
//

import AllocationLedger

/// A proof, with the checkpoint that holds its root.
struct Checkpointed<Proof: Sendable>: Sendable {
    var proof: Proof
    /// Nil without a key.
    var checkpoint: String?
}

extension JSONShape where Value == VerificationReport.Finding {
    static let finding = JSONShape(
        "Finding", "One thing that is to be said of a part.",
        [
            .text("kind", "ALTERED, MISSING, REORDERED, GAP (declared), GAP (undeclared).") { $0.kind.rawValue },
            .optionalInteger("revision", "The revision it concerns.") { $0.revision },
            .optionalInteger("event", "The event within the revision.") { $0.ordinal.map(Int64.init) },
            .text("detail", "Which row, and what is wrong with it.") { $0.detail },
        ])
}

extension JSONShape where Value == VerificationReport.Part {
    static let part = JSONShape(
        "VerifiedPart", "A partition of history, a dictionary, or a table of the current state.",
        [
            .text("part", "Its name.") { $0.name },
            .text("verdict", "What is said of it.", allowed: VerificationReport.Verdict.allCases.map(\.rawValue)) {
                $0.verdict.rawValue
            },
            .integer("rows", "Rows that were looked at.") { $0.rows },
            .objects("findings", "The first things that are to be said.", .finding) { $0.findings },
            .integer("further_findings", "How many further ones there are.") { $0.furtherFindings },
        ])
}

/// What was verified, and what came out.
struct BoundedVerification: Sendable {
    /// Nil: the window holds no revision.
    var revisions: ClosedRange<Int64>?
    var report = VerificationReport()
}

extension JSONShape where Value == BoundedVerification {
    static let verification = JSONShape(
        "Verification", "What was computed again from the rows of some revisions, and compared.",
        [
            .boolean("intact", "Whether all is as it was recorded.") { $0.report.isIntact },
            .optionalInteger("first_revision", "The first that was looked at; it is taken to continue the one before.")
            {
                $0.revisions?.lowerBound
            },
            .optionalInteger("last_revision", "The last that was looked at.") { $0.revisions?.upperBound },
            .integer("revisions", "How many were there.") { $0.report.revisions },
            .integer("events", "Their events.") { $0.report.events },
            .integer("label_sets", "Label sets that their events name.") { $0.report.labelSets },
            .objects("parts", "Dictionaries first, then day by day.", .part) { $0.report.parts },
        ])
}

extension JSONShape where Value == Checkpointed<InclusionProof> {
    static let inclusion = JSONShape(
        "InclusionProof", "That a revision is in the log: RFC 6962, section 2.1.1.",
        [
            .integer("revision", "Its number.") { $0.proof.revision.number },
            .integer("index", "Number of its leaf, from 0.") { $0.proof.index },
            .integer("size", "Revisions in the log that it is proven for.") { $0.proof.size },
            .text("leaf", "The leaf's hash: the revision's digest.") { "\($0.proof.leaf)" },
            .texts("hashes", "The path from the leaf to the root.") { $0.proof.path.map { "\($0)" } },
            .text("root", "The root that they lead to.") { "\($0.proof.root)" },
            .optionalText("checkpoint", "The signed checkpoint of that root; null without a key.") { $0.checkpoint },
        ])
}

extension JSONShape where Value == Checkpointed<ConsistencyProof> {
    static let consistency = JSONShape(
        "ConsistencyProof", "That the log begins with what it was before: RFC 6962, section 2.1.2.",
        [
            .integer("first_size", "Revisions in the log before.") { $0.proof.first },
            .integer("second_size", "Revisions in the log after.") { $0.proof.second },
            .text("first_root", "The root before.") { "\($0.proof.firstRoot)" },
            .text("second_root", "The root after.") { "\($0.proof.secondRoot)" },
            .texts("hashes", "The proof.") { $0.proof.path.map { "\($0)" } },
            .optionalText("checkpoint", "The signed checkpoint of the root after; null without a key.") {
                $0.checkpoint
            },
        ])
}
