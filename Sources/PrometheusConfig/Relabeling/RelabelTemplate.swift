//
// RelabelTemplate.swift: reads `$1`, `${1}`, `$name`, `${name}` and `$$` in a replacement or a target label, once.
//
// Source: Go's regexp.Regexp.Expand. A name is the longest run of letters, digits and underscores; digits only, without
// a leading zero, are a group's number. A `$` that starts nothing stays as it is. A group that does not exist or took no
// part gives nothing; of several groups of one name the first that took part is taken.
//

/// A template as a list of literal texts and groups.
struct RelabelTemplate: Equatable {
    enum Part: Equatable {
        case literal(String)
        /// The groups of one reference, in order: the first that took part counts. 0 is the whole match.
        case group([Int])
    }

    private(set) var parts: [Part] = []

    /// - Parameter groupNames: The expression's groups by number, index 0 being the whole match.
    init(_ text: String, groupNames: [String?]) {
        var literal = ""
        var rest = text.unicodeScalars[...]
        while let dollar = rest.firstIndex(of: "$") {
            literal.unicodeScalars.append(contentsOf: rest[..<dollar])
            rest = rest[rest.index(after: dollar)...]
            if rest.first == "$" {
                literal.append("$")
                rest.removeFirst()
            } else if let name = Self.readReference(&rest) {
                let groups = Self.groups(of: name, groupNames: groupNames)
                if !groups.isEmpty {
                    if !literal.isEmpty { parts.append(.literal(literal)) }
                    literal = ""
                    parts.append(.group(groups))
                }
            } else {
                literal.append("$")
            }
        }
        literal.unicodeScalars.append(contentsOf: rest)
        if !literal.isEmpty { parts.append(.literal(literal)) }
    }

    /// The highest group number that occurs; -1 when the template is constant.
    var groupMax: Int {
        parts.reduce(-1) { highest, part in
            if case .group(let groups) = part { max(highest, groups.max() ?? -1) } else { highest }
        }
    }

    /// Takes `name` or `{name}` off the front of `rest`; nil and nothing taken when there is none.
    private static func readReference(_ rest: inout Substring.UnicodeScalarView) -> String? {
        var ahead = rest
        let isBraced = ahead.first == "{"
        if isBraced { ahead.removeFirst() }
        let name = ahead.prefix { $0 == "_" || isLetterOrDigit($0) }
        guard !name.isEmpty else { return nil }
        ahead = ahead[name.endIndex...]
        if isBraced, ahead.popFirst() != "}" { return nil }
        rest = ahead
        return String(name)
    }

    private static func groups(of name: String, groupNames: [String?]) -> [Int] {
        if let number = number(name) { return number < groupNames.count ? [number] : [] }
        return groupNames.indices.filter { index in
            groupNames[index].map { $0.utf8.elementsEqual(name.utf8) } ?? false
        }
    }

    private static func number(_ name: String) -> Int? {
        guard name.utf8.allSatisfy(ASCIIClass.isDigit), name.utf8.count <= 9 else { return nil }
        if name.utf8.first == UInt8(ascii: "0"), name.utf8.count > 1 { return nil }
        return Int(name)
    }

    private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return ASCIIClass.isWord(UInt8(scalar.value)) }
        return switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber: true
        default: false
        }
    }
}
