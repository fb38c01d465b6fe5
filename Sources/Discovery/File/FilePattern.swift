//
// FilePattern.swift: which paths `file_sd_configs.files` may name, and which files a path pattern stands for.
//
// The accepted form is Prometheus' (spec/prometheus-sd.md 6, vectors sd-file-patterns.json); matching is that of Go's
// path/filepath: `*` and `?` do not cross `/`, do match a leading dot, and results are sorted. Unlike Go, a directory
// that exists and cannot be read is an error and not an empty one: its files would look deleted.
//

import AllocationCore
import Glibc

/// A path whose parts may hold `*`, `?`, `[…]` and `\`.
struct FilePattern: Sendable, Hashable {
    let text: String

    init(_ text: String) { self.text = text }

    /// `^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$`
    var isAccepted: Bool {
        guard let dot = text.lastIndex(of: "."),
            ["json", "yml", "yaml", "JSON", "YML", "YAML"].contains(text[text.index(after: dot)...])
        else { return false }
        guard let star = text[..<dot].firstIndex(of: "*") else { return true }
        return !text[star..<dot].contains("/")
    }

    /// The directory in which the last part is looked up, as a pattern.
    var directory: String {
        guard let slash = text.lastIndex(of: "/") else { return "." }
        return slash == text.startIndex ? "/" : String(text[..<slash])
    }

    /// The last part.
    var name: Substring { text[(text.lastIndex(of: "/").map { text.index(after: $0) } ?? text.startIndex)...] }

    static func hasMagic(_ part: some StringProtocol) -> Bool { part.contains { "*?[\\".contains($0) } }

    // MARK: Expansion

    /// The existing files that the pattern stands for, sorted.
    func paths() throws(FileDiscoveryError) -> [String] {
        guard Self.isWellFormed(text) else { throw .malformedPattern(text) }
        return try Self.expand(text)
    }

    /// The existing directories that ``directory`` stands for, or the directory itself when it names one.
    func directories() throws(FileDiscoveryError) -> [String] {
        Self.hasMagic(directory) ? try Self.expand(directory) : [directory]
    }

    private static func expand(_ pattern: String) throws(FileDiscoveryError) -> [String] {
        guard hasMagic(pattern) else { return FileStatus(pattern) == nil ? [] : [pattern] }
        let split = FilePattern(pattern)
        let parents = hasMagic(split.directory) ? try expand(split.directory) : [split.directory]
        var found: [String] = []
        for parent in parents {
            let prefix = pattern.contains("/") ? (parent == "/" ? "/" : parent + "/") : ""
            for name in try entries(of: parent) where matches(split.name, name) { found.append(prefix + name) }
        }
        return found.sorted(by: ByteOrder.precedes)
    }

    private static func entries(of directory: String) throws(FileDiscoveryError) -> [String] {
        guard let stream = opendir(directory) else {
            let code = errno
            if code == ENOENT || code == ENOTDIR { return [] }
            throw .unreadable(path: directory, code: code)
        }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: Int(entry.pointee.d_reclen)) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
            errno = 0
        }
        if errno != 0 { throw .unreadable(path: directory, code: errno) }
        return names
    }

    // MARK: Matching one part

    /// Whether brackets and escapes of a pattern are complete.
    static func isWellFormed(_ pattern: String) -> Bool {
        var rest = Array(pattern.unicodeScalars)[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\\": if rest.popFirst() == nil { return false }
            case "[": if Class(&rest) == nil { return false }
            default: break
            }
        }
        return true
    }

    /// Whether a name without `/` matches a part of a well-formed pattern.
    static func matches(_ pattern: some StringProtocol, _ name: String) -> Bool {
        matches(Array(pattern.unicodeScalars)[...], Array(name.unicodeScalars)[...])
    }

    private static func matches(
        _ pattern: ArraySlice<Unicode.Scalar>, _ name: ArraySlice<Unicode.Scalar>
    ) -> Bool {
        var (pattern, name) = (pattern, name)
        // Where to go on when the rest does not match: the last `*` takes one more scalar.
        var retry: (pattern: ArraySlice<Unicode.Scalar>, name: ArraySlice<Unicode.Scalar>)?
        while true {
            if pattern.first == "*" {
                pattern = pattern.dropFirst()
                retry = (pattern, name)
                continue
            }
            var rest = pattern
            if pattern.isEmpty && name.isEmpty { return true }
            if let scalar = name.first, matchesOne(&rest, scalar) {
                pattern = rest
                name = name.dropFirst()
                continue
            }
            guard let again = retry, !again.name.isEmpty else { return false }
            retry = (again.pattern, again.name.dropFirst())
            (pattern, name) = (again.pattern, again.name.dropFirst())
        }
    }

    private static func matchesOne(_ pattern: inout ArraySlice<Unicode.Scalar>, _ scalar: Unicode.Scalar) -> Bool {
        switch pattern.popFirst() {
        case nil: false
        case "?": true
        case "[": Class(&pattern)?.contains(scalar) ?? false
        case "\\": pattern.popFirst() == scalar
        case let literal: literal == scalar
        }
    }

    /// `[a-z]`, `[^a-z]`.
    private struct Class {
        private var isNegated = false
        private var ranges: [ClosedRange<Unicode.Scalar>] = []

        /// Takes a class from behind its `[`; nil when it is not complete.
        init?(_ rest: inout ArraySlice<Unicode.Scalar>) {
            if rest.first == "^" {
                isNegated = true
                rest = rest.dropFirst()
            }
            while true {
                if rest.first == "]", !ranges.isEmpty {
                    rest = rest.dropFirst()
                    return
                }
                guard let low = Self.scalar(&rest) else { return nil }
                var high = low
                if rest.first == "-" {
                    rest = rest.dropFirst()
                    guard let end = Self.scalar(&rest) else { return nil }
                    high = end
                }
                // Go takes [z-a] as a range of nothing.
                ranges.append(low <= high ? low...high : "\u{10FFFF}"..."\u{10FFFF}")
            }
        }

        private static func scalar(_ rest: inout ArraySlice<Unicode.Scalar>) -> Unicode.Scalar? {
            guard let first = rest.popFirst(), first != "-", first != "]" else { return nil }
            return first == "\\" ? rest.popFirst() : first
        }

        func contains(_ scalar: Unicode.Scalar) -> Bool { ranges.contains { $0.contains(scalar) } != isNegated }
    }
}
