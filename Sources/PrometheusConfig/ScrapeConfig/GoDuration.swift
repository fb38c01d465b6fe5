//
// GoDuration.swift: durations as Go writes them (`1m30s`, `300ms`), for the allocator's own settings.
//
// The grammar is that of Go's time.ParseDuration; a number without a unit is nanoseconds, as upstream takes it.
//

/// A duration in whole nanoseconds; may be negative.
package struct GoDuration: Sendable, Equatable, Comparable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The same as a duration of the standard library.
    package var duration: Duration { .nanoseconds(nanoseconds) }

    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3_600e9),
    ]

    /// Reads an optional sign, then numbers (with a fraction if wanted), each with its unit.
    ///
    /// - Throws: ``ValueError``.
    package init(parsing text: String) throws(ValueError) {
        let notValid = ValueError("not a duration: \(text.goQuoted) (as in 300ms, 30s, 1m30s, 1h)")
        var rest = text[...]
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest.removeFirst() }
        if rest == "0" {
            self.init(nanoseconds: 0)
            return
        }
        guard !rest.isEmpty else { throw notValid }
        var whole: Int64 = 0
        while !rest.isEmpty {
            let number = rest.prefix { ($0.isASCII && $0.isNumber) || $0 == "." }
            rest = rest.dropFirst(number.count)
            let name = rest.prefix { !(($0.isASCII && $0.isNumber) || $0 == ".") }
            rest = rest.dropFirst(name.count)
            guard let unit = Self.units.first(where: { $0.name == name }) else {
                let known = "ns, us, ms, s, m, h"
                throw name.isEmpty
                    ? ValueError("missing unit in duration \(text.goQuoted); known: \(known)")
                    : ValueError("unknown unit \(String(name).goQuoted) in duration \(text.goQuoted); known: \(known)")
            }
            let parts = number.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count <= 2, number.contains(where: { $0 != "." }),
                let count = parts[0].isEmpty ? 0 : Int64(parts[0])
            else { throw notValid }
            let fraction = parts.count == 2 ? Double("0." + parts[1] + "0") ?? 0 : 0
            let product = count.multipliedReportingOverflow(by: Int64(unit.nanoseconds))
            let sum = whole.addingReportingOverflow(product.partialValue)
            let total = sum.partialValue.addingReportingOverflow(Int64(fraction * unit.nanoseconds))
            guard !product.overflow, !sum.overflow, !total.overflow else { throw notValid }
            whole = total.partialValue
        }
        self.init(nanoseconds: isNegative ? -whole : whole)
    }
}

extension YAMLReader {
    /// A duration in Go's syntax; an unquoted whole number is nanoseconds.
    package mutating func goDuration(_ node: YAMLNode) throws(ConfigurationError) -> GoDuration {
        if case .integer(let nanoseconds) = node.scalar?.value { return GoDuration(nanoseconds: nanoseconds) }
        return try parsed(node, zero: GoDuration(nanoseconds: 0)) { (text) throws(ValueError) in
            try GoDuration(parsing: text)
        }
    }
}
