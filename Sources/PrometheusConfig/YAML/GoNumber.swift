//
// GoNumber.swift: floating-point numbers and quoted texts in the forms that Go's libraries give them.
//
// Upstream's answers and messages are made by those libraries, and answers are compared byte by byte.
//

/// Decimal forms of a `Double`, always with the fewest digits that read back to the same value.
enum GoNumber {
    /// As `strconv.FormatFloat(value, 'g', -1, 64)`, with infinities as YAML spells them.
    static func shortest(_ value: Double) -> String {
        if value.isNaN { return ".nan" }
        if value.isInfinite { return value < 0 ? "-.inf" : ".inf" }
        let decimal = Decimal(value)
        return decimal.exponent < -4 || decimal.exponent >= 6
            ? decimal.scientific(exponentDigitsMin: 2) : decimal.positional
    }

    /// As `encoding/json` writes a finite number.
    static func json(_ value: Double) -> String {
        let decimal = Decimal(value)
        return value != 0 && (decimal.exponent < -6 || decimal.exponent >= 21)
            ? decimal.scientific(exponentDigitsMin: 1) : decimal.positional
    }

    /// `digits` with a point after the first one, times ten to the `exponent`.
    private struct Decimal {
        var isNegative: Bool
        var digits: [UInt8] = []
        var exponent: Int

        init(_ value: Double) {
            isNegative = value.sign == .minus
            exponent = 0
            var point: Int?
            var written = 0
            // Swift's description has the fewest digits too, in a layout of its own.
            let text = value.magnitude.description.utf8
            let mantissa = text.prefix { $0 != UInt8(ascii: "e") }
            for byte in mantissa {
                if byte == UInt8(ascii: ".") { point = digits.count } else { digits.append(byte) }
            }
            if mantissa.count < text.count { written = Int(Substring(text.dropFirst(mantissa.count + 1))) ?? 0 }
            exponent = (point ?? digits.count) - 1 + written
            let zeros = digits.prefix { $0 == UInt8(ascii: "0") }.count
            if zeros == digits.count {
                (digits, exponent) = ([UInt8(ascii: "0")], 0)
                return
            }
            digits.removeFirst(zeros)
            exponent -= zeros
            while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        }

        private var sign: String { isNegative ? "-" : "" }

        var positional: String {
            let text = String(decoding: digits, as: UTF8.self)
            if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + text }
            if digits.count <= exponent + 1 {
                return sign + text + String(repeating: "0", count: exponent + 1 - digits.count)
            }
            return sign + text.prefix(exponent + 1) + "." + text.dropFirst(exponent + 1)
        }

        func scientific(exponentDigitsMin: Int) -> String {
            let text = String(decoding: digits, as: UTF8.self)
            let power = String(exponent.magnitude)
            let padding = String(repeating: "0", count: max(0, exponentDigitsMin - power.count))
            return sign + text.prefix(1) + (digits.count > 1 ? "." : "") + text.dropFirst(1)
                + (exponent < 0 ? "e-" : "e+") + padding + power
        }
    }
}

extension String {
    /// The text in double quotes with Go's escapes, as `%q` prints it.
    var goQuoted: String {
        var result = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case "\u{07}": result += "\\a"
            case "\u{08}": result += "\\b"
            case "\u{0B}": result += "\\v"
            case "\u{0C}": result += "\\f"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7F {
                    result += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}
