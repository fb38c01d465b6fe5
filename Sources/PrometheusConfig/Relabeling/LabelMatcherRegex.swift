//
// LabelMatcherRegex.swift: the regular expressions of PromQL's label matchers, which are RE2's and match whole values.
//

/// Compiles what `=~` and `!~` stand for.
package enum LabelMatcherRegex {
    /// - Returns: Whether the whole of a value matches.
    /// - Throws: ``RegexSyntaxError`` as Go's regexp/syntax would.
    package static func compile(_ pattern: String) throws -> @Sendable (_ value: String) -> Bool {
        // Not among the shared ones: whoever asks may ask anything, and those stay.
        let regex = try RelabelRegex(pattern)
        return { value in
            var value = value
            return value.withUTF8 { regex.matcher.matches(UnsafeRawBufferPointer($0)) }
        }
    }
}
