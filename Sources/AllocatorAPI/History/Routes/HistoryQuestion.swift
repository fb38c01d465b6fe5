//
// HistoryQuestion.swift: a request's parameters, checked when they are read.
//

import AllocationCore
import AllocationLedger
import PostgresDriver
import PrometheusConfig

extension ProblemDetails: Error {}

/// What a route was asked, by the parameters that it declares.
struct HistoryQuestion: Sendable {
    private let values: [String: [String]]

    /// - Parameters:
    ///   - path: Values of the path's parameters, decoded.
    ///   - query: As it came, without the question mark.
    /// - Throws: ``ProblemDetails`` for what the route does not know, lacks or takes once only.
    init(
        _ parameters: [HistoryParameter], path: [String: String], query: Substring
    ) throws(ProblemDetails) {
        var values = path.mapValues { [$0] }
        let known = parameters.filter { !$0.isInPath }
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Self.decoded(parts[0], of: String(parts[0]))
            guard let parameter = known.first(where: { $0.name == name }) else {
                let hint = NearestKey.find(name, among: known.map(\.name)).map { "; did you mean \($0)?" } ?? ""
                throw .badParameter(name, "is not known here\(hint)")
            }
            let value = parts.count == 2 ? try Self.decoded(parts[1], of: name) : ""
            if !parameter.isRepeated, values[name] != nil { throw .badParameter(name, "is given more than once") }
            values[name, default: []].append(value)
        }
        for parameter in parameters where parameter.isRequired && values[parameter.name] == nil {
            throw .badParameter(parameter.name, "is missing")
        }
        self.values = values
    }

    private static func decoded(_ text: Substring, of name: String) throws(ProblemDetails) -> String {
        var text = String(text)
        let result = text.withUTF8 { bytes -> Result<String, QueryComponent.DecodingError> in
            do throws(QueryComponent.DecodingError) {
                return .success(try QueryComponent.decoded(UnsafeRawBufferPointer(bytes)))
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(let text):
            if text.utf8.contains(0) { throw .badParameter(name, "holds a zero byte") }
            return text
        case .failure(let error): throw .undecodable(name, error)
        }
    }

    // MARK: Values

    func has(_ name: String) -> Bool { values[name] != nil }

    /// Nil when it is not there or empty.
    func text(_ name: String) -> String? { values[name]?.first.flatMap { $0.isEmpty ? nil : $0 } }

    /// One without which nothing can be asked.
    func given(text name: String) throws(ProblemDetails) -> String {
        guard let text = text(name) else { throw .badParameter(name, "is missing") }
        return text
    }

    /// Also when it is empty, which is no value of anything but a text.
    private func given(_ name: String) -> String? { values[name]?.first }

    func boolean(_ name: String, default initial: Bool) throws(ProblemDetails) -> Bool {
        switch given(name) {
        case nil: return initial
        case "true": return true
        case "false": return false
        case let other?: throw .badParameter(name, "is \(quoted(other)); allowed are true and false")
        }
    }

    func choice(_ name: String, among allowed: [String]) throws(ProblemDetails) -> String? {
        guard let value = given(name) else { return nil }
        guard allowed.contains(value) else {
            throw .badParameter(name, "is \(quoted(value)); allowed are \(allowed.joined(separator: ", "))")
        }
        return value
    }

    func limit() throws(ProblemDetails) -> Int {
        guard let value = given("limit") else { return PageLimit.rowsDefault }
        guard let limit = Int(value), (1...PageLimit.rowsMax).contains(limit) else {
            throw .badParameter("limit", "is \(quoted(value)); allowed is 1 to \(PageLimit.rowsMax)")
        }
        return limit
    }

    func identity(_ name: String) throws(ProblemDetails) -> TargetIdentity? {
        guard let value = given(name) else { return nil }
        guard let number = UInt64(value) else {
            throw .badParameter(name, "is \(quoted(value)); a target's identity is a decimal number of 64 bits")
        }
        return TargetIdentity(rawValue: number)
    }

    func revision(_ name: String) throws(ProblemDetails) -> Revision? {
        guard let value = given(name) else { return nil }
        guard let number = Int64(value), number > 0 else {
            throw .badParameter(name, "is \(quoted(value)); a revision is a number from 1 on")
        }
        return Revision(number)
    }

    func instant(_ name: String) throws(ProblemDetails) -> Instant? {
        guard let value = given(name) else { return nil }
        guard let instant = Instant(value) else {
            throw .badParameter(
                name, "is \(quoted(value)); expected a time such as 2026-11-20T03:12:00Z, or a revision's number")
        }
        return instant
    }

    /// `at`, or `revision`; the latest without either.
    func moment() throws(ProblemDetails) -> Instant {
        if has("at"), has("revision") { throw .badParameter("revision", "and at cannot both be given") }
        if let revision = try revision("revision") { return .revision(revision) }
        return try instant("at") ?? .latest
    }

    func cursor<Cursor: HistoryCursor>(_ type: Cursor.Type) throws(ProblemDetails) -> Cursor? {
        guard let value = text("cursor") else { return nil }
        guard let cursor = Cursor(text: value) else {
            throw .badParameter("cursor", "is not one that this list has given")
        }
        return cursor
    }

    /// Nil: everything.
    func selection() throws -> LabelSelection? {
        guard let texts = values["match[]"], !texts.isEmpty else { return nil }
        do {
            return try LabelSelection(
                anyOf: try texts.map { try LabelMatcher.parse($0) }, regex: LabelMatcherRegex.compile)
        } catch let error as LabelMatcherError {
            throw ProblemDetails.badParameter("match[]", "cannot be read: \(error)")
        } catch {
            throw ProblemDetails.badParameter("match[]", "cannot be read: \(error)")
        }
    }

    /// The bounds as times; a revision stands for the moment at which it was recorded.
    func window(_ connection: isolated PostgresConnection) async throws -> HistoryWindow {
        var window = HistoryWindow()
        if let since = try instant("since") { window.since = try await Self.time(of: since, connection) }
        if let until = try instant("until") { window.until = try await Self.time(of: until, connection) }
        if let since = window.since, let until = window.until, since >= until { throw HistoryError.emptyWindow }
        return window
    }

    private static func time(
        of instant: Instant, _ connection: isolated PostgresConnection
    ) async throws -> Timestamp {
        if case .time(let time) = instant { return time }
        let point = try await instant.resolve(connection)
        return point.at
    }

    private func quoted(_ text: String) -> String { String(reflecting: String(text.prefix(200))) }
}

extension ProblemDetails {
    /// - Parameter what: Follows the parameter's name.
    static func badParameter(_ name: String, _ what: String) -> ProblemDetails {
        ProblemDetails(
            status: 400, title: "Bad Request", detail: "The parameter \(name) \(what)\(what.hasSuffix("?") ? "" : ".")",
            parameter: name)
    }

    /// What a read of the ledger ended with.
    init?(reading error: any Error) {
        switch error {
        case let problem as ProblemDetails: self = problem
        case let error as HistoryError:
            switch error {
            case .compacted: self.init(status: 410, title: "Gone", detail: "\(error).")
            case .emptyWindow:
                self.init(status: 400, title: "Bad Request", detail: "\(error).", parameter: "until")
            case .ambiguous: self.init(status: 400, title: "Bad Request", detail: "\(error).", parameter: "job")
            case .notYetWritten, .beforeFirst, .nothingRecorded, .unknown, .unused:
                self.init(status: 404, title: "Not Found", detail: "\(error).")
            }
        case let error as LedgerError:
            self.init(
                status: 503, title: "Service Unavailable",
                detail: "The history cannot be read now. What collectors ask is answered as before.",
                reasons: ["\(error)"])
        default: return nil
        }
    }
}
