//
// VerificationReport.swift: what a verification found, part by part.
//

import PostgresDriver

/// The outcome of a verification.
package struct VerificationReport: Sendable {
    /// What is said of one part; ordered by how bad it is.
    package enum Verdict: String, Sendable, Hashable, CaseIterable, Comparable {
        case ok = "OK"
        /// Nothing was recorded, or it was dropped, and the ledger says so itself.
        case declaredGap = "GAP (declared)"
        /// Nothing was recorded for a time, and no row says why.
        case undeclaredGap = "GAP (undeclared)"
        case missing = "MISSING"
        case altered = "ALTERED"

        /// Whether the record is complete and unaltered as far as this part goes.
        package var isGood: Bool { self <= .declaredGap }

        package static func < (left: Verdict, right: Verdict) -> Bool { left.rank < right.rank }

        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    /// One thing that is to be said, in words that name the row.
    package struct Finding: Sendable, Hashable, CustomStringConvertible {
        package enum Kind: String, Sendable, Hashable {
            case altered = "ALTERED"
            case missing = "MISSING"
            case reordered = "REORDERED"
            case declaredGap = "GAP (declared)"
            case undeclaredGap = "GAP (undeclared)"

            var verdict: Verdict {
                switch self {
                case .altered, .reordered: .altered
                case .missing: .missing
                case .declaredGap: .declaredGap
                case .undeclaredGap: .undeclaredGap
                }
            }
        }

        package var kind: Kind
        /// The revision it concerns; nil for the tip of the log and for dictionaries.
        package var revision: Int64?
        /// The event within the revision, where it can be told.
        package var ordinal: Int32?
        package var detail: String

        package init(kind: Kind, revision: Int64? = nil, ordinal: Int32? = nil, detail: String) {
            self.kind = kind
            self.revision = revision
            self.ordinal = ordinal
            self.detail = detail
        }

        package var description: String {
            var place = ""
            if let revision { place += " revision \(revision)" }
            if let ordinal { place += " event \(ordinal)" }
            return "\(kind.rawValue)\(place): \(detail)"
        }
    }

    /// A partition of history, a dictionary, or a table of the current state.
    package struct Part: Sendable, Hashable {
        /// Of its table, such as `revision_20261121` or `label_set`.
        package var name: String
        package var verdict: Verdict
        package var rows: Int64
        /// The first ones.
        package var findings: [Finding]
        /// How many further ones there are.
        package var furtherFindings: Int64
    }

    package var revisions: Int64 = 0
    package var events: Int64 = 0
    package var labelSets: Int64 = 0
    /// The tip that everything led to.
    package var head: LedgerHead?
    /// Root of the log's tree; nil where it could not be computed.
    package var root: Digest32?
    /// Dictionaries first, then day by day, then the current state and what was compared with it.
    package var parts: [Part] = []
    /// What is wrong, in the order of the walk; the first names the first row that is not as it was written.
    package var findings: [Finding] = []

    package init() {}

    package var isIntact: Bool { parts.allSatisfy(\.verdict.isGood) && findings.isEmpty }
}

/// Gathers what is found.
struct VerificationLog {
    enum Part: Hashable {
        case dictionary(String)
        /// A day since 1970 and the table.
        case day(Int64, String)
        case control(String)

        var name: String {
            switch self {
            case .dictionary(let name), .control(let name): name
            case .day(let day, let table): "\(table)_\(UTCDay.digits(day))"
            }
        }

        fileprivate var order: (Int, Int64) {
            switch self {
            case .dictionary: (0, 0)
            case .day(let day, _): (1, day)
            case .control: (2, 0)
            }
        }
    }

    fileprivate struct State {
        var rows: Int64 = 0
        var verdict = VerificationReport.Verdict.ok
        var findings: [VerificationReport.Finding] = []
        var further: Int64 = 0
        let place: Int
    }

    /// What is wrong, in the order in which it was found.
    private(set) var findings: [VerificationReport.Finding] = []
    private var parts: [Part: State] = [:]

    /// Findings that are kept of each part; the rest is counted.
    static let findingsMax = 20

    mutating func add(rows: Int64, to part: Part) {
        open(part)
        parts[part]?.rows += rows
    }

    mutating func find(_ finding: VerificationReport.Finding, in part: Part) {
        open(part)
        if parts[part]?.take(finding) == true, !finding.kind.verdict.isGood { findings.append(finding) }
    }

    mutating func find(
        _ kind: VerificationReport.Finding.Kind, in part: Part, revision: Int64? = nil, ordinal: Int32? = nil,
        _ detail: String
    ) {
        find(.init(kind: kind, revision: revision, ordinal: ordinal, detail: detail), in: part)
    }

    /// Findings that were counted only.
    mutating func add(further count: Int64, in part: Part, _ verdict: VerificationReport.Verdict) {
        guard count > 0 else { return }
        open(part)
        parts[part]?.further += count
        parts[part]?.raise(to: verdict)
    }

    private mutating func open(_ part: Part) {
        if parts[part] == nil { parts[part] = State(place: parts.count) }
    }

    func has(_ part: Part) -> Bool { parts[part] != nil }

    var report: [VerificationReport.Part] {
        parts.sorted { left, right in
            let (a, b) = (left.key.order, right.key.order)
            return a == b ? left.value.place < right.value.place : a < b
        }.map { part, state in
            VerificationReport.Part(
                name: part.name, verdict: state.verdict, rows: state.rows, findings: state.findings,
                furtherFindings: state.further)
        }
    }
}

extension VerificationLog.State {
    fileprivate mutating func raise(to other: VerificationReport.Verdict) { verdict = max(verdict, other) }

    /// - Returns: Whether it is kept, and not only counted.
    fileprivate mutating func take(_ finding: VerificationReport.Finding) -> Bool {
        raise(to: finding.kind.verdict)
        guard findings.count < VerificationLog.findingsMax else {
            further += 1
            return false
        }
        findings.append(finding)
        return true
    }
}

/// Days in UTC, as partitions are cut.
enum UTCDay {
    static func of(_ time: Timestamp) -> Int64 {
        let (quotient, remainder) = time.microsecondsSince1970.quotientAndRemainder(dividingBy: 86_400_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }

    static func start(_ day: Int64) -> Timestamp { Timestamp(microsecondsSince1970: day * 86_400_000_000) }

    /// `20261121`, as partitions are named.
    static func digits(_ day: Int64) -> String { String(start(day).description.prefix(10).filter { $0 != "-" }) }

    /// Of a partition's name, which ends in `_` and eight digits.
    static func named(_ name: String) -> Int64? {
        let digits = Array(name.utf8.suffix(8))
        guard digits.count == 8, name.utf8.dropLast(8).last == UInt8(ascii: "_"),
            digits.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        let text = String(decoding: digits, as: UTF8.self)
        return Timestamp(rfc3339: "\(text.prefix(4))-\(text.dropFirst(4).prefix(2))-\(text.suffix(2))T00:00:00Z").map(
            of)
    }
}
