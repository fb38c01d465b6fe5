//
// RelabelRegex.swift: the regular expression of a rule, compiled once for all rules that have the same text.
//
// Prometheus compiles `^(?s:` + text + `)$`: anchored at both ends, `.` matching newlines. The anchors are added as text,
// so an expression with unbalanced parentheses escapes them, there as here.
//
// Thousands of jobs made from the same custom resource carry the same expressions, so compiled ones are shared by their
// text for as long as anyone uses them, and a little longer.
//

import CRE2
import Synchronization

/// A compiled, immutable expression, usable from several threads at once.
// @unchecked: everything is written in init alone; RE2 documents its compiled expressions as thread-safe.
package final class RelabelRegex: @unchecked Sendable {
    /// The expression as written, without anchors.
    package let text: String
    /// The groups' names by number; index 0 is the whole match.
    let groupNames: [String?]
    /// Points into memory that this object owns: valid as long as it lives.
    let matcher: RegexMatcher
    private let arena: ByteArena
    private let alternatives: UnsafeMutableBufferPointer<UnsafeRawBufferPointer>

    /// What a program and the states it visits may occupy. Go's own limit is about this.
    private static let memoryBytesMax: Int64 = 64 << 20

    /// The compiled form of `text`, made now or by whoever needed it before.
    ///
    /// - Throws: ``RegexSyntaxError`` as Go's regexp/syntax would.
    package static func shared(_ text: String) throws(RegexSyntaxError) -> RelabelRegex {
        if let known = cache.withLock({ $0.regex(for: text) }) { return known }
        // Compiled outside of the lock: a large expression must not hold up the others.
        let compiled = try RelabelRegex(text)
        return cache.withLock { $0.insert(compiled) }
    }

    private static let cache = Mutex(RegexCache())

    /// - Parameter usesEngineAlways: For tests: RE2 even where comparing bytes would do.
    init(_ text: String, usesEngineAlways: Bool = false) throws(RegexSyntaxError) {
        self.text = text
        var arena = ByteArena()
        if !usesEngineAlways, let simple = SimplePattern(text) {
            var texts: [String] = []
            var middle = RegexMatcher.Middle.any
            var middleBytesMin = 0
            switch simple.middle {
            case .any(let bytesMin): middleBytesMin = bytesMin
            case .oneOf(let alternatives):
                middle = .oneOf
                texts = alternatives
            }
            alternatives = .allocate(capacity: texts.count)
            for (index, text) in texts.enumerated() { alternatives.initializeElement(at: index, to: arena.copy(text)) }
            matcher = RegexMatcher(
                prefix: arena.copy(simple.prefix), middle: middle, middleBytesMin: middleBytesMin,
                alternatives: UnsafeBufferPointer(alternatives), suffix: arena.copy(simple.suffix), program: nil
            )
            groupNames = simple.isCaptured ? [nil, nil] : [nil]
        } else {
            let anchored = "^(?s:\(text))$"
            let translation = try RegexTranslation(anchored)
            let program = try Self.compile(translation.pattern, anchored: anchored)
            alternatives = .allocate(capacity: 0)
            matcher = RegexMatcher(
                prefix: UnsafeRawBufferPointer(start: nil, count: 0), middle: .any, middleBytesMin: 0,
                alternatives: UnsafeBufferPointer(alternatives),
                suffix: UnsafeRawBufferPointer(start: nil, count: 0), program: program
            )
            groupNames = translation.groupNames
        }
        self.arena = arena
    }

    deinit {
        if let program = matcher.program { cre2_free(program) }
        alternatives.deallocate()
    }

    private static func compile(_ pattern: [UInt8], anchored: String) throws(RegexSyntaxError) -> OpaquePointer {
        var error = cre2_error()
        if let program = cre2_compile(pattern, pattern.count, memoryBytesMax, &error) { return program }
        var fragment = withUnsafeBytes(of: error.fragment) { bytes in
            String(decoding: bytes.prefix(error.fragment_length), as: UTF8.self)
        }
        let reason = RegexSyntaxError.Reason(error.code)
        // Go quotes the whole expression here, which the translation may have altered.
        if reason == .missingParenthesis || reason == .unexpectedParenthesis { fragment = anchored }
        throw RegexSyntaxError(reason: reason, fragment: fragment)
    }
}

/// Compiled expressions by text. Only the latest are kept alive: between the check of a configuration and its use, and for
/// thousands of jobs with the same few rules.
private struct RegexCache {
    private struct Entry {
        weak var regex: RelabelRegex?
    }

    // By bytes: Swift's strings are equal when they are canonically equivalent, expressions are not.
    private var entries: [[UInt8]: Entry] = [:]
    private var sweepAt = 256
    private var latest: [RelabelRegex] = []
    private var latestNext = 0

    private static let latestMax = 256

    func regex(for text: String) -> RelabelRegex? { entries[Array(text.utf8)]?.regex }

    /// The object to use: one that another thread inserted meanwhile, else the given one.
    mutating func insert(_ regex: RelabelRegex) -> RelabelRegex {
        let key = Array(regex.text.utf8)
        if let known = entries[key]?.regex { return known }
        if entries.count >= sweepAt {
            entries = entries.filter { $0.value.regex != nil }
            sweepAt = max(256, 2 * entries.count)
        }
        entries[key] = Entry(regex: regex)
        if latest.count < Self.latestMax {
            latest.append(regex)
        } else {
            latest[latestNext] = regex
            latestNext = (latestNext + 1) % Self.latestMax
        }
        return regex
    }
}

extension RegexSyntaxError.Reason {
    init(_ code: cre2_error_code) {
        self =
            switch code {
            case CRE2_BAD_ESCAPE: .invalidEscape
            case CRE2_BAD_CHARACTER_CLASS: .invalidCharacterClass
            case CRE2_BAD_CHARACTER_RANGE: .invalidCharacterRange
            case CRE2_MISSING_BRACKET: .missingBracket
            case CRE2_MISSING_PARENTHESIS: .missingParenthesis
            case CRE2_UNEXPECTED_PARENTHESIS: .unexpectedParenthesis
            case CRE2_TRAILING_BACKSLASH: .trailingBackslash
            case CRE2_REPEAT_ARGUMENT: .missingRepeatArgument
            case CRE2_REPEAT_SIZE: .invalidRepeatCount
            case CRE2_REPEAT_OPERATOR: .invalidRepeatOperator
            case CRE2_BAD_PERL_OPERATOR: .invalidPerlOperator
            case CRE2_BAD_UTF8: .invalidUTF8
            case CRE2_BAD_NAMED_CAPTURE: .invalidNamedCapture
            case CRE2_TOO_LARGE: .tooLarge
            default: .internalError
            }
    }
}
