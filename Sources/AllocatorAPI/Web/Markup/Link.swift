//
// Link.swift: where links lead: to another page of this process, never elsewhere.
//

/// A path of this process, with a query.
struct Link: Sendable, Hashable {
    /// As it stands in an attribute or a header.
    let target: String

    /// - Parameter query: Names and values as they are meant; values that are nil are left out.
    init(_ path: StaticString, _ query: KeyValuePairs<String, String?> = [:]) {
        self.init(path: path.description, pairs: query.compactMap { name, value in value.map { (name, $0) } })
    }

    /// - Parameter path: A route's own path.
    init(path: String, pairs: [(name: String, value: String)]) {
        let query = pairs.map { "\(QueryComponent.encoded($0.name))=\(QueryComponent.encoded($0.value))" }
        target = path + (query.isEmpty ? "" : "?") + query.joined(separator: "&")
    }

    /// A place on the same page.
    init(fragment: StaticString) { target = "#\(fragment)" }

    /// A path whose last part is a name or a number.
    init(_ path: StaticString, segment: String, _ rest: StaticString = "") {
        target = "\(path)\(QueryComponent.encoded(segment))\(rest)"
    }
}
