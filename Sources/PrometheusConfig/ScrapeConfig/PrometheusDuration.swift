//
// PrometheusDuration.swift: durations as Prometheus writes them (`1h30m`), to the millisecond.
//
// Grammar, messages and canonical form are those of prometheus/common v0.70, model.ParseDuration and Duration.String.
//

/// A duration of zero or more milliseconds.
package struct PrometheusDuration: Sendable, Equatable, Comparable, CustomStringConvertible {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static let zero = PrometheusDuration(milliseconds: 0)

    package static func seconds(_ seconds: Int64) -> PrometheusDuration {
        PrometheusDuration(milliseconds: seconds * 1_000)
    }

    package static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }

    /// The same as a duration of the standard library.
    package var duration: Duration { .milliseconds(milliseconds) }

    private static let units: [(name: String, milliseconds: Int64)] = [
        ("y", 31_536_000_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000),
        ("ms", 1),
    ]
    /// Prometheus counts nanoseconds in 64 bits.
    private static let millisecondsMax = Int64.max / 1_000_000

    /// Reads `0`, or digits with a unit, repeated with ever smaller units.
    ///
    /// - Throws: ``ValueError`` with Prometheus' message.
    package init(parsing text: String) throws(ValueError) {
        self = .zero
        if text == "0" { return }
        if text.isEmpty { throw ValueError("empty duration string") }
        let notValid = ValueError("not a valid duration string: \(text.goQuoted)")
        var rest = Substring(text).utf8
        var unitsLeft = Self.units[...]
        while !rest.isEmpty {
            let digits = rest.prefix(while: Self.isDigit)
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !Self.isDigit($0) }
            rest = rest.dropFirst(name.count)
            guard let count = Int64(Substring(digits)), !name.isEmpty else { throw notValid }
            guard let unit = Self.units.first(where: { $0.name.utf8.elementsEqual(name) }) else {
                throw ValueError("unknown unit \(String(Substring(name)).goQuoted) in duration \(text.goQuoted)")
            }
            guard let place = unitsLeft.firstIndex(where: { $0.name == unit.name }) else { throw notValid }
            unitsLeft = unitsLeft[(place + 1)...]
            let part = count.multipliedReportingOverflow(by: unit.milliseconds)
            let sum = milliseconds.addingReportingOverflow(part.partialValue)
            guard !part.overflow, !sum.overflow, sum.partialValue <= Self.millisecondsMax else {
                throw ValueError("duration out of range")
            }
            milliseconds = sum.partialValue
        }
    }

    /// The canonical form. Years and weeks appear only when nothing smaller would follow, so `9d` is not `1w2d`.
    package var description: String {
        guard milliseconds > 0 else { return "0s" }
        var rest = milliseconds
        var text = ""
        for unit in Self.units {
            let isExactOnly = unit.name == "y" || unit.name == "w"
            let count = rest / unit.milliseconds
            guard count > 0, !isExactOnly || rest % unit.milliseconds == 0 else { continue }
            text += "\(count)\(unit.name)"
            rest -= count * unit.milliseconds
        }
        return text
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
}
