//
// RegexMatcher.swift: matches one input against one compiled expression.
//
// A plain value of pointers, without reference counting: rules are run by several threads at once, and counters that all
// of them write to would cost more than the match.
//

import CRE2

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What matching needs to know; valid as long as the ``RelabelRegex`` it came from.
struct RegexMatcher {
    enum Middle {
        case any, oneOf
    }

    let prefix: UnsafeRawBufferPointer
    let middle: Middle
    let middleBytesMin: Int
    let alternatives: UnsafeBufferPointer<UnsafeRawBufferPointer>
    let suffix: UnsafeRawBufferPointer
    /// RE2's program; nil: the texts above decide.
    let program: OpaquePointer?

    /// Whether every input matches.
    var matchesEverything: Bool {
        program == nil && middle == .any && middleBytesMin == 0 && prefix.isEmpty && suffix.isEmpty
    }

    @inline(__always)
    func matches(_ input: UnsafeRawBufferPointer) -> Bool {
        if let program { return Self.run(program, input, from: 0, nil, 0) }
        return matchesTexts(input)
    }

    /// Matches and fills the spans of group 0 and of the first `groupCount - 1` groups in parentheses.
    ///
    /// - Parameter groups: Room for `groupCount` spans; no more than the expression has groups, and one.
    @inline(__always)
    func match(
        _ input: UnsafeRawBufferPointer, groups: UnsafeMutablePointer<cre2_span>, groupCount: Int32
    ) -> Bool {
        if let program { return Self.run(program, input, from: 0, groups, groupCount) }
        guard matchesTexts(input) else { return false }
        if groupCount > 0 { groups[0] = cre2_span(start: 0, end: Int64(input.count)) }
        if groupCount > 1 {
            groups[1] = cre2_span(start: Int64(prefix.count), end: Int64(input.count &- suffix.count))
        }
        return true
    }

    /// The next match at or after `start`, for replacing all matches in a label's name.
    func match(
        _ input: UnsafeRawBufferPointer, from start: Int, groups: UnsafeMutablePointer<cre2_span>, groupCount: Int32
    ) -> Bool {
        if let program { return Self.run(program, input, from: start, groups, groupCount) }
        // A match of texts is the whole input and starts at its beginning.
        return start == 0 && match(input, groups: groups, groupCount: groupCount)
    }

    @inline(__always)
    private static func run(
        _ program: OpaquePointer, _ input: UnsafeRawBufferPointer, from start: Int,
        _ groups: UnsafeMutablePointer<cre2_span>?, _ groupCount: Int32
    ) -> Bool {
        let bytes = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        return cre2_match(program, bytes, input.count, start, groups, groupCount)
    }

    @inline(__always)
    private func matchesTexts(_ input: UnsafeRawBufferPointer) -> Bool {
        let middleCount = input.count &- prefix.count &- suffix.count
        guard middleCount >= middleBytesMin else { return false }
        if !prefix.isEmpty {
            guard Self.equal(UnsafeRawBufferPointer(rebasing: input[..<prefix.count]), prefix) else { return false }
        }
        if !suffix.isEmpty {
            guard Self.equal(UnsafeRawBufferPointer(rebasing: input[(input.count &- suffix.count)...]), suffix) else {
                return false
            }
        }
        if middle == .any { return true }
        let rest = UnsafeRawBufferPointer(rebasing: input[prefix.count..<prefix.count &+ middleCount])
        for text in alternatives where Self.equal(text, rest) { return true }
        return false
    }

    @inline(__always)
    static func equal(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count else { return false }
        guard let left = a.baseAddress, let right = b.baseAddress else { return true }
        return memcmp(left, right, a.count) == 0
    }
}
