//
// ByteSize.swift: sizes such as `body_size_limit: 10MB`, which mean powers of 1024 however they are spelled.
//
// Grammar, messages and canonical form are those of alecthomas/units of 2024-09-27, ParseBase2Bytes and
// Base2Bytes.String.
//

/// A number of bytes; negative ones can be written and mean nothing more than that.
package struct ByteSize: Sendable, Equatable, CustomStringConvertible {
    package var bytes: Int64

    package init(bytes: Int64) { self.bytes = bytes }

    package static let zero = ByteSize(bytes: 0)
    private static let prefixes = ["", "K", "M", "G", "T", "P", "E"]

    /// Reads `0`, or an optional sign and numbers that each have a unit; the units are all of one family.
    ///
    /// - Throws: ``ValueError`` with the library's message.
    package init(parsing text: String) throws(ValueError) {
        if let size = try? Self.parse(text, suffix: "iB") {
            self = size
        } else {
            self = try Self.parse(text, suffix: "B")
        }
    }

    private static func parse(_ text: String, suffix: String) throws(ValueError) -> ByteSize {
        let notValid = ValueError("units: invalid \(text)")
        var rest = text[...]
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest.removeFirst() }
        if rest == "0" { return .zero }
        if rest.isEmpty { throw notValid }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix(while: isOfNumber)
            rest = rest.dropFirst(number.count)
            let name = rest.prefix { !isOfNumber($0) }
            rest = rest.dropFirst(name.count)
            let parts = number.split(separator: ".", omittingEmptySubsequences: false)
            guard number.contains(where: { $0 != "." }) else { throw notValid }
            // The library reads the text as far as the second point and looks for the unit there.
            guard parts.count <= 2 else { throw ValueError("units: unknown unit  in \(text)") }
            let decimal = "0\(number)" + (parts.count == 2 ? "0" : "")
            guard parts[0].isEmpty || Int64(parts[0]) != nil, let value = Double(decimal) else { throw notValid }
            guard let power = prefixes.firstIndex(where: { name == ($0.isEmpty ? "B" : $0 + suffix) }) else {
                throw ValueError("units: unknown unit \(name) in \(text)")
            }
            total += value * Double(Int64(1) << (10 * Int64(power)))
        }
        guard total < 0x1p63 else { throw ValueError("units: overflow parsing unit") }
        return ByteSize(bytes: Int64(isNegative ? -total : total))
    }

    /// The canonical form: the largest units first, `iB` spelling, parts of zero left out.
    package var description: String {
        guard bytes != 0 else { return "0B" }
        var rest = bytes
        var text = ""
        for prefix in Self.prefixes {
            let part = rest % 1_024
            if part != 0 { text = "\(part)\(prefix)\(prefix.isEmpty ? "B" : "iB")" + text }
            rest /= 1_024
        }
        return text
    }

    private static func isOfNumber(_ character: Character) -> Bool {
        (character >= "0" && character <= "9") || character == "."
    }
}
