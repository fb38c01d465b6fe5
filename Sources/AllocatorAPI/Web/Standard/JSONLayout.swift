//
// JSONLayout.swift: lays out JSON for reading, without changing a byte of its values.
//

/// One member of a JSON object, laid out.
struct JSONMember {
    let name: String
    /// The value, indented.
    let text: String
}

/// Takes a JSON object apart into its members and indents each.
enum JSONLayout {
    /// - Parameter object: A JSON object without blanks between its tokens, as this process writes them.
    static func members(of object: [UInt8]) -> [JSONMember] {
        var members: [JSONMember] = []
        var index = 1
        while index < object.count, object[index] == UInt8(ascii: "\"") {
            let nameEnd = end(ofValueAt: index, in: object)
            let valueStart = nameEnd + 1
            let valueEnd = end(ofValueAt: valueStart, in: object)
            members.append(
                JSONMember(
                    name: unescaped(object[(index + 1)..<(nameEnd - 1)]), text: indented(object[valueStart..<valueEnd])
                ))
            index = valueEnd + 1
        }
        return members
    }

    /// The index behind the value that starts at `start`.
    private static func end(ofValueAt start: Int, in text: [UInt8]) -> Int {
        var depth = 0
        var isInString = false
        var index = start
        while index < text.count {
            let byte = text[index]
            if isInString {
                if byte == UInt8(ascii: "\\") { index += 1 } else if byte == UInt8(ascii: "\"") { isInString = false }
            } else {
                switch byte {
                case UInt8(ascii: "\""): isInString = true
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    if depth == 0 { return index }
                    depth -= 1
                case UInt8(ascii: ","), UInt8(ascii: ":"):
                    if depth == 0 { return index }
                default: break
                }
            }
            index += 1
        }
        return index
    }

    /// The text inside a JSON string. Escapes are those that ``JSONText`` writes: no surrogates.
    private static func unescaped(_ text: ArraySlice<UInt8>) -> String {
        var output = String.UnicodeScalarView()
        var scalars = String(decoding: text, as: UTF8.self).unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            guard scalar == "\\", let kind = scalars.popFirst() else {
                output.append(scalar)
                continue
            }
            switch kind {
            case "b": output.append("\u{08}")
            case "f": output.append("\u{0C}")
            case "n": output.append("\n")
            case "r": output.append("\r")
            case "t": output.append("\t")
            case "u":
                let digits = String(Substring(scalars.prefix(4)))
                scalars = scalars.dropFirst(4)
                output.append(UInt32(digits, radix: 16).flatMap { Unicode.Scalar($0) } ?? "\u{FFFD}")
            default: output.append(kind)
            }
        }
        return String(output)
    }

    private static func indented(_ value: ArraySlice<UInt8>) -> String {
        var output: [UInt8] = []
        var depth = 0
        var isInString = false
        var isEscaped = false
        func newline() {
            output.append(UInt8(ascii: "\n"))
            output += repeatElement(UInt8(ascii: " "), count: depth * 2)
        }
        for (index, byte) in zip(value.indices, value) {
            if isInString {
                output.append(byte)
                if !isEscaped, byte == UInt8(ascii: "\"") { isInString = false }
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                isInString = true
                output.append(byte)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                output.append(byte)
                depth += 1
                if index + 1 < value.endIndex, value[index + 1] != byte + 2 { newline() }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if value[index - 1] != byte - 2 { newline() }
                output.append(byte)
            case UInt8(ascii: ","):
                output.append(byte)
                newline()
            case UInt8(ascii: ":"): output += ": ".utf8
            default: output.append(byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
