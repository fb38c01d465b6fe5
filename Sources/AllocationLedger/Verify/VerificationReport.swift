//
// VerificationReport.swift: what a walk over the digest chain found.
//

/// The outcome of a verification.
package struct VerificationReport: Sendable {
    /// One thing that is not as it was written, in words that name the row.
    package struct Finding: Sendable, Hashable, CustomStringConvertible {
        package enum Kind: String, Sendable, Hashable {
            case altered = "ALTERED"
            case missing = "MISSING"
            case reordered = "REORDERED"
        }

        package var kind: Kind
        /// The revision it concerns; nil for the tip of the log and for dictionaries.
        package var revision: Int64?
        /// The event within the revision, where it can be told.
        package var ordinal: Int32?
        package var detail: String

        package var description: String {
            var place = ""
            if let revision { place += " revision \(revision)" }
            if let ordinal { place += " event \(ordinal)" }
            return "\(kind.rawValue)\(place): \(detail)"
        }
    }

    package var revisions: Int64 = 0
    package var events: Int64 = 0
    package var labelSets: Int64 = 0
    /// The tip that everything led to.
    package var head: LedgerHead?
    /// In the order of the walk; the first names the first row that is not as it was written.
    package var findings: [Finding] = []

    package var isIntact: Bool { findings.isEmpty }
}
