//
// TermCheck.swift: who led, whether the log still has what each leader found, and when nobody recorded.
//
// A term names the tip of the log that it found: a tail that was cut off since then is missed here. Between the end of
// one term and the beginning of the next nothing is recorded. A row of ledger.gap declares that; without one it is an
// undeclared gap, unless it is as short as the hand-over between two replicas.
//

import AllocationCore
import PostgresDriver

struct TermCheck {
    private var terms: [Term] = []
    private var gaps: [Gap] = []
    private var epochs: Set<Int64> = []
    private var unknownEpochs: [Int64: Int64] = [:]
    /// Epochs that revisions were written in.
    private var writing: Set<Int64> = []
    /// Gaps as revisions state them, and by which.
    private var stated: [String: Int64] = [:]
    /// The time of the first revision that is kept.
    private var oldest: Timestamp?
    private var byTip: [Int64: [(epoch: Int64, digest: Digest32)]] = [:]

    /// Up to here the time between two terms is a hand-over.
    static let handOverMax = Duration.seconds(60)
    /// Bounds of gaps are taken by different statements.
    private static let slack: Int64 = 2_000_000

    mutating func take(_ term: Term) {
        terms.append(term)
        epochs.insert(term.epoch)
        byTip[term.firstRevision, default: []].append((term.epoch, term.firstDigest))
    }

    mutating func take(_ gap: Gap) { gaps.append(gap) }

    mutating func take(_ row: RevisionRow) {
        if oldest == nil { oldest = row.at }
        writing.insert(row.epoch)
        if row.cause != Cause.operator.rawValue, let place = row.causeDetail.firstRange(of: "gap ") {
            let statement = String(row.causeDetail[place.lowerBound...])
            if Self.isStatement(statement) { stated[statement] = row.revision }
        }
        if !epochs.contains(row.epoch), unknownEpochs[row.epoch] == nil { unknownEpochs[row.epoch] = row.revision }
    }

    /// The log has had this digest at this revision: compares what terms found.
    mutating func pass(_ revision: Int64, _ digest: Digest32, _ log: inout VerificationLog) {
        guard let found = byTip.removeValue(forKey: revision) else { return }
        for term in found where term.digest != digest {
            log.find(
                .altered, in: .control("term"), revision: revision,
                "its digest is another than the term of epoch \(term.epoch) found")
        }
    }

    mutating func finish(last: Int64, _ log: inout VerificationLog) {
        log.add(rows: Int64(terms.count), to: .control("term"))
        log.add(rows: Int64(gaps.count), to: .control("gap"))
        pass(0, .zero, &log)
        for (revision, found) in byTip.sorted(by: { $0.key < $1.key }) where revision > last {
            for term in found {
                log.find(
                    .missing, in: .control("term"), revision: revision,
                    "the term of epoch \(term.epoch) found it as the tip, and the log ends at revision \(last)")
            }
        }
        for (epoch, revision) in unknownEpochs.sorted(by: { $0.key < $1.key }) {
            log.find(
                .missing, in: .control("term"), revision: revision,
                "it was written in epoch \(epoch), of which ledger.term has no row")
        }
        tellGaps(&log)
    }

    // MARK: Gaps

    /// `gap FROM/TO CAUSE: DETAIL`, as the revision that ends a gap has it in its detail.
    private static func isStatement(_ text: String) -> Bool {
        let parts = text.split(separator: " ", maxSplits: 2)
        guard parts.count == 3, parts[2].contains(":") else { return false }
        let bounds = parts[1].split(separator: "/")
        return bounds.count == 2 && bounds.allSatisfy { Timestamp(rfc3339: String($0)) != nil }
    }

    /// A gap's row and the revision that states it have to agree.
    ///
    /// - Returns: The gaps that count, oldest first.
    private func compareStatements(_ log: inout VerificationLog) -> [Gap] {
        var rest = stated
        var declared: [Gap] = []
        for gap in gaps.sorted(by: { $0.from < $1.from }) {
            let statement = "gap \(gap.from)/\(gap.to) \(gap.cause): \(gap.detail)"
            // The revision of a gap that ended before what is kept is gone with it.
            guard rest.removeValue(forKey: statement) == nil, let oldest, gap.to >= oldest else {
                declared.append(gap)
                continue
            }
            log.find(.altered, in: .control("gap"), "no revision states the gap from \(gap.from) to \(gap.to)")
        }
        for (statement, revision) in rest.sorted(by: { $0.value < $1.value }) {
            log.find(
                .missing, in: .control("gap"), revision: revision,
                "ledger.gap has no row of what it states: \(statement)")
        }
        return declared
    }

    private func tellGaps(_ log: inout VerificationLog) {
        let declared = compareStatements(&log)
        for gap in declared {
            note(.declaredGap, gap.from, gap.to, ": \(gap.cause)\(gap.detail.isEmpty ? "" : ", \(gap.detail)")", &log)
        }
        let terms = terms.sorted { $0.epoch < $1.epoch }
        for (term, next) in zip(terms, terms.dropFirst()) {
            // The first revision of a term states the gap before it.
            guard let end = term.endedAt, next.acquiredAt.since(end) > Self.handOverMax, writing.contains(next.epoch),
                !Self.cover(declared, end, next.acquiredAt)
            else { continue }
            note(.undeclaredGap, end, next.acquiredAt, ", and no row of ledger.gap says why", &log)
        }
    }

    /// Whether gaps cover the whole stretch.
    private static func cover(_ gaps: [Gap], _ from: Timestamp, _ to: Timestamp) -> Bool {
        var reached = from.microsecondsSince1970
        for gap in gaps {
            guard gap.from.microsecondsSince1970 <= reached + slack else { break }
            reached = max(reached, gap.to.microsecondsSince1970)
        }
        return reached + slack >= to.microsecondsSince1970
    }

    /// On each of its days.
    private func note(
        _ kind: VerificationReport.Finding.Kind, _ from: Timestamp, _ to: Timestamp, _ why: String,
        _ log: inout VerificationLog
    ) {
        let (first, last) = (UTCDay.of(from), UTCDay.of(to))
        guard first <= last, last - first < 10_000 else {
            return log.find(kind, in: .control("gap"), "nothing was recorded from \(from) to \(to)\(why)")
        }
        for day in first...last {
            log.find(kind, in: .day(day, "revision"), "nothing was recorded from \(from) to \(to)\(why)")
        }
    }
}
