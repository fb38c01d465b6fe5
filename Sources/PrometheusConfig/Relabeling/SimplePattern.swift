//
// SimplePattern.swift: recognises the expressions that need no regular-expression engine.
//
// Nearly all rules in the wild, and all but one that the Prometheus operator writes, are a text, a list of texts, or
// "anything" between two texts: `(.*)`, `true`, `(Failed|Succeeded)`, `(v1|v2);true`, `Pod;(.*)`,
// `__meta_kubernetes_pod_label_(.+)`. Comparing bytes decides these several times faster than RE2, and a job's thousand
// sisters with the same rules need no compiled programs.
//
// Values are valid UTF-8, so that comparing bytes and comparing code points are the same.
//

/// `prefix middle suffix`, matched against the whole input.
struct SimplePattern: Equatable {
    enum Middle: Equatable {
        /// `.*` (0) or `.+` (1).
        case any(bytesMin: Int)
        case oneOf([String])
    }

    var prefix = ""
    var middle: Middle
    var suffix = ""
    /// Whether the middle is group 1; otherwise there is no group.
    var isCaptured = false

    /// Nil: leave it to the engine.
    init?(_ expression: String) {
        guard let tokens = Self.tokens(expression) else { return nil }
        if let alternatives = Self.alternatives(tokens[...]), alternatives.count > 1 {
            middle = .oneOf(alternatives)
            return
        }
        var rest = tokens[...]
        prefix = Self.takeLiterals(&rest)
        guard let first = rest.first else {
            middle = .oneOf([prefix])
            prefix = ""
            return
        }
        if let bytesMin = Self.anyBytesMin(first) {
            middle = .any(bytesMin: bytesMin)
            rest.removeFirst()
        } else {
            guard first == .open || first == .openWithoutCapture, let close = rest.firstIndex(of: .close) else {
                return nil
            }
            let inside = rest[(rest.startIndex + 1)..<close]
            if inside.count == 1, let only = inside.first, let bytesMin = Self.anyBytesMin(only) {
                middle = .any(bytesMin: bytesMin)
            } else if let alternatives = Self.alternatives(inside) {
                middle = .oneOf(alternatives)
            } else {
                return nil
            }
            isCaptured = first == .open
            rest = rest[(close + 1)...]
        }
        suffix = Self.takeLiterals(&rest)
        if !rest.isEmpty { return nil }
    }

    private enum Token: Equatable {
        case literal(Unicode.Scalar)
        case open, openWithoutCapture, close, alternative, anyOrNone, anySome
    }

    /// Nil when the expression has anything else in it.
    private static func tokens(_ expression: String) -> [Token]? {
        var tokens: [Token] = []
        var rest = expression.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "(":
                if rest.first == "?" {
                    guard rest.starts(with: "?:".unicodeScalars) else { return nil }
                    rest.removeFirst(2)
                    tokens.append(.openWithoutCapture)
                } else {
                    tokens.append(.open)
                }
            case ")": tokens.append(.close)
            case "|": tokens.append(.alternative)
            case ".":
                switch rest.popFirst() {
                case "*": tokens.append(.anyOrNone)
                case "+": tokens.append(.anySome)
                default: return nil
                }
            case "\\":
                guard let escaped = rest.popFirst(), escaped.isASCII, isPunctuation(escaped) else { return nil }
                tokens.append(.literal(escaped))
            case "*", "+", "?", "[", "]", "{", "}", "^", "$": return nil
            default: tokens.append(.literal(scalar))
            }
        }
        // A repetition after any of these was refused above; one behind `.*` or `.+` as well, since it is no literal.
        return tokens
    }

    private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value > 0x20 && scalar.value < 0x7F && (scalar == "_" || !ASCIIClass.isWord(UInt8(scalar.value)))
    }

    private static func anyBytesMin(_ token: Token) -> Int? {
        switch token {
        case .anyOrNone: 0
        case .anySome: 1
        default: nil
        }
    }

    private static func takeLiterals(_ tokens: inout ArraySlice<Token>) -> String {
        var text = String.UnicodeScalarView()
        while case .literal(let scalar)? = tokens.first {
            text.append(scalar)
            tokens.removeFirst()
        }
        return String(text)
    }

    /// The texts of `a|b|c`; nil when there is anything but literals between the bars.
    private static func alternatives(_ tokens: ArraySlice<Token>) -> [String]? {
        var texts: [String] = []
        for alternative in tokens.split(separator: .alternative, omittingEmptySubsequences: false) {
            var rest = alternative
            texts.append(takeLiterals(&rest))
            if !rest.isEmpty { return nil }
        }
        return texts
    }
}
