//
// RegexSyntaxError.swift: why a regular expression is refused, in the words of Go's regexp/syntax.
//

/// A regular expression that Prometheus would refuse.
package struct RegexSyntaxError: Error, Equatable, CustomStringConvertible {
    /// The raw value is the phrase Go uses.
    package enum Reason: String, Sendable {
        case invalidEscape = "invalid escape sequence"
        case invalidCharacterClass = "invalid character class"
        case invalidCharacterRange = "invalid character class range"
        case invalidNamedCapture = "invalid named capture"
        case invalidPerlOperator = "invalid or unsupported Perl syntax"
        case invalidRepeatOperator = "invalid nested repetition operator"
        case invalidRepeatCount = "invalid repeat count"
        case invalidUTF8 = "invalid UTF-8"
        case missingBracket = "missing closing ]"
        case missingParenthesis = "missing closing )"
        case missingRepeatArgument = "missing argument to repetition operator"
        case trailingBackslash = "trailing backslash at end of expression"
        case unexpectedParenthesis = "unexpected )"
        case nestingTooDeep = "expression nests too deeply"
        case tooLarge = "expression too large"
        case internalError = "regexp/syntax: internal error"
    }

    package var reason: Reason
    /// The part at fault, or the whole expression with its added anchors.
    package var fragment: String

    package var description: String { "error parsing regexp: \(reason.rawValue): `\(fragment)`" }
}
