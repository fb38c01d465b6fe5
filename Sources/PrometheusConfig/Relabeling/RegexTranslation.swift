//
// RegexTranslation.swift: turns an expression in Go's syntax into the same expression in RE2's, or refuses it.
//
// The two differ little, and everything not named here goes to RE2 as it is, which checks it:
//   * `(?<name>…)` is `(?P<name>…)` since Go 1.22. Names are taken out and kept here, since Go also allows the same one
//     twice and wants the first participating group of a name.
//   * `\C`, a single byte, exists in RE2 alone.
//   * `\p{Name}`: see RegexClassName.
//   * Go limits the depth of an expression to 1000.
//
// Known difference: `\P{LC}`, `\P{Assigned}` and `\p{Cn}` inside a bracket expression cannot be told to RE2 and are refused.
//
// Source: Go 1.25 regexp/syntax (grammar and messages), RE2 2022-06.
//

/// An expression that RE2 understands, with its groups' names.
struct RegexTranslation {
    /// UTF-8 text in RE2's syntax.
    private(set) var pattern: [UInt8] = []
    /// A name for each group that has one; index 0 is the whole match.
    private(set) var groupNames: [String?] = [nil]

    private let source: [UInt8]
    private var index = 0
    private var depth = 0

    private static let depthMax = 1000

    /// - Parameter expression: The whole expression, with its added anchors.
    init(_ expression: String) throws(RegexSyntaxError) {
        source = Array(expression.utf8)
        pattern.reserveCapacity(source.count)
        while index < source.count { try translateNext() }
    }

    private mutating func translateNext() throws(RegexSyntaxError) {
        switch source[index] {
        case UInt8(ascii: "\\"): try translateEscape(isInBrackets: false)
        case UInt8(ascii: "["): try translateBrackets()
        case UInt8(ascii: "("): try translateParenthesis()
        case UInt8(ascii: ")"):
            depth -= 1
            copy(1)
        default: copy(1)
        }
    }

    // MARK: Escapes

    private mutating func translateEscape(isInBrackets: Bool) throws(RegexSyntaxError) {
        guard index + 1 < source.count else { return copy(1) }
        switch source[index + 1] {
        case UInt8(ascii: "C"): throw error(.invalidEscape, index..<index + 2)
        case UInt8(ascii: "Q") where !isInBrackets: copy(end(ofQuoteFrom: index + 2) - index)
        case UInt8(ascii: "p"), UInt8(ascii: "P"): try translateClass(isInBrackets: isInBrackets)
        default: copy(2)
        }
    }

    /// `\Q…\E`; without `\E` to the end of the expression.
    private func end(ofQuoteFrom start: Int) -> Int {
        var place = start
        while place + 1 < source.count {
            if source[place] == UInt8(ascii: "\\"), source[place + 1] == UInt8(ascii: "E") { return place + 2 }
            place += 1
        }
        return source.count
    }

    /// `\pX`, `\PX`, `\p{Name}`, `\p{^Name}` …
    private mutating func translateClass(isInBrackets: Bool) throws(RegexSyntaxError) {
        guard index + 2 < source.count, source[index + 2] == UInt8(ascii: "{") else { return copy(2) }
        guard let close = source[index...].firstIndex(of: UInt8(ascii: "}")) else {
            throw error(.invalidCharacterRange, index..<source.count)
        }
        var name = text(index + 3..<close)
        var isNegated = source[index + 1] == UInt8(ascii: "P")
        if name.hasPrefix("^") {
            isNegated.toggle()
            name.removeFirst()
        }
        if RegexClassName.isUnassigned(name) {
            try appendUnion(
                RegexClassName.assigned, complement: nil, isNegated: !isNegated, isInBrackets: isInBrackets, upTo: close
            )
        } else {
            switch RegexClassName(name) {
            case .named(let known): pattern.append(contentsOf: (isNegated ? "\\P{\(known)}" : "\\p{\(known)}").utf8)
            case .union(let inside, let complement):
                try appendUnion(
                    inside, complement: complement, isNegated: isNegated, isInBrackets: isInBrackets, upTo: close)
            // RE2 may know a script that we do not; if not, it refuses the name.
            case nil: pattern.append(contentsOf: source[index...close])
            }
        }
        index = close + 1
    }

    private mutating func appendUnion(
        _ inside: String, complement: String?, isNegated: Bool, isInBrackets: Bool, upTo close: Int
    ) throws(RegexSyntaxError) {
        switch (isNegated, isInBrackets) {
        case (false, true): pattern.append(contentsOf: inside.utf8)
        case (false, false): pattern.append(contentsOf: "[\(inside)]".utf8)
        case (true, false): pattern.append(contentsOf: "[^\(inside)]".utf8)
        case (true, true):
            guard let complement else { throw error(.invalidCharacterRange, index..<close + 1) }
            pattern.append(contentsOf: complement.utf8)
        }
    }

    // MARK: Brackets

    private mutating func translateBrackets() throws(RegexSyntaxError) {
        copy(1)
        if peek(UInt8(ascii: "^")) { copy(1) }
        // A bracket in first place is an ordinary character.
        if peek(UInt8(ascii: "]")) { copy(1) }
        while index < source.count {
            switch source[index] {
            case UInt8(ascii: "]"): return copy(1)
            case UInt8(ascii: "\\"): try translateEscape(isInBrackets: true)
            case UInt8(ascii: "["): copy((end(ofNamedClassFrom: index) ?? index + 1) - index)
            default: copy(1)
            }
        }
    }

    /// `[:name:]` inside of brackets.
    private func end(ofNamedClassFrom start: Int) -> Int? {
        guard start + 1 < source.count, source[start + 1] == UInt8(ascii: ":") else { return nil }
        var place = start + 2
        while place + 1 < source.count {
            if source[place] == UInt8(ascii: ":"), source[place + 1] == UInt8(ascii: "]") { return place + 2 }
            place += 1
        }
        return nil
    }

    // MARK: Groups

    private mutating func translateParenthesis() throws(RegexSyntaxError) {
        depth += 1
        if depth > Self.depthMax { throw error(.nestingTooDeep, 0..<source.count) }
        let rest = source[(index + 1)...]
        if rest.starts(with: "?P<".utf8) {
            try translateNamedGroup(nameFrom: index + 4)
        } else if rest.starts(with: "?<".utf8) {
            try translateNamedGroup(nameFrom: index + 3)
        } else {
            if rest.first != UInt8(ascii: "?") { groupNames.append(nil) }
            copy(1)
        }
    }

    private mutating func translateNamedGroup(nameFrom start: Int) throws(RegexSyntaxError) {
        guard let close = source[start...].firstIndex(of: UInt8(ascii: ">")) else {
            throw error(.invalidNamedCapture, index..<source.count)
        }
        let name = text(start..<close)
        guard !name.isEmpty, source[start..<close].allSatisfy(ASCIIClass.isWord) else {
            throw error(.invalidNamedCapture, index..<close + 1)
        }
        groupNames.append(name)
        pattern.append(UInt8(ascii: "("))
        index = close + 1
    }

    // MARK: Text

    private func peek(_ byte: UInt8) -> Bool { index < source.count && source[index] == byte }

    private mutating func copy(_ count: Int) {
        pattern.append(contentsOf: source[index..<index + count])
        index += count
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: source[range], as: UTF8.self) }

    private func error(_ reason: RegexSyntaxError.Reason, _ range: Range<Int>) -> RegexSyntaxError {
        RegexSyntaxError(reason: reason, fragment: text(range))
    }
}
