//
// HistoryParameter.swift: what can be asked with, checked by one set of rules and described by the same.
//

import AllocationCore
import AllocationLedger

/// One parameter of a route, in its path or its query.
struct HistoryParameter: Sendable {
    enum Form: Sendable {
        case text
        /// RFC 3339.
        case time
        /// RFC 3339, or a revision's number.
        case instant
        /// 64 bits, decimal.
        case identity
        case revision
        case boolean
        case limit
        case cursor
        /// A PromQL selector.
        case matcher
        case choice([String])
    }

    let name: String
    let form: Form
    let description: String
    var isRequired = false
    /// May be given several times.
    var isRepeated = false
    var isInPath = false

    static func path(_ name: String, _ form: Form, _ description: String) -> HistoryParameter {
        HistoryParameter(name: name, form: form, description: description, isRequired: true, isInPath: true)
    }

    func required() -> HistoryParameter {
        var parameter = self
        parameter.isRequired = true
        return parameter
    }

    // MARK: Those that several routes have

    static let since = HistoryParameter(
        name: "since", form: .instant, description: "From this time, or the time of this revision, on.")
    static let until = HistoryParameter(
        name: "until", form: .instant, description: "Before this time, or the time of this revision.")
    static let at = HistoryParameter(
        name: "at", form: .instant, description: "A time or a revision; the latest revision when left out.")
    static let revision = HistoryParameter(
        name: "revision", form: .revision, description: "The same as `at` with a revision's number.")
    static let job = HistoryParameter(name: "job", form: .text, description: "Name of the job.")
    static let collector = HistoryParameter(name: "collector", form: .text, description: "Name of a collector.")
    static let address = HistoryParameter(name: "address", form: .text, description: "A part of the address.")
    static let identity = HistoryParameter(
        name: "identity", form: .identity, description: "The target's identity, decimal.")
    static let match = HistoryParameter(
        name: "match[]", form: .matcher,
        description: "A PromQL selector such as `{job=\"api\",__meta_pod=~\"web-.*\"}`; of several, any.",
        isRepeated: true)
    static let limit = HistoryParameter(
        name: "limit", form: .limit, description: "At most this many items, \(PageLimit.rowsDefault) when left out.")
    static let cursor = HistoryParameter(
        name: "cursor", form: .cursor, description: "`next` of the page before.")

    static let window = [since, until]
    static let page = [limit, cursor]

    /// As the description has it.
    var schema: Schema {
        switch form {
        case .text, .cursor, .matcher: .text()
        case .time: .text(format: "date-time")
        case .instant: .either([.time, .text(pattern: "^[1-9][0-9]{0,17}$")])
        case .identity: .text(pattern: "^[0-9]{1,20}$")
        case .revision: .integer(minimum: 1, maximum: Int64.max)
        case .boolean: .boolean
        case .limit: .integer(minimum: 1, maximum: Int64(PageLimit.rowsMax))
        case .choice(let allowed): .text(allowed: allowed)
        }
    }
}
