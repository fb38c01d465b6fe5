//
// GoURL.swift: URLs as Go's net/url reads them, as far as configuration needs it: parts, faults, masked passwords.
//

/// A URL split into its parts; no part is decoded.
struct GoURL: Equatable {
    /// In lower case; empty when there is none.
    var scheme = ""
    /// What stands before the last `@` of the authority, or nil.
    var userInfo: Substring?
    /// Host and port as written.
    var host: Substring = ""
    /// Path, query and fragment.
    var rest: Substring = ""
    private var hasAuthority = false

    /// - Throws: ``ValueError`` in Go's words; a user and password in the text are masked in it.
    init(parsing text: String) throws(ValueError) {
        do throws(ValueError) {
            try read(text)
        } catch {
            throw ValueError("parse \(Self.masked(text).goQuoted): \(error.description)")
        }
    }

    /// The URL with `xxxxx` for a password, which is how Prometheus writes proxies.
    var redacted: String {
        var text = scheme.isEmpty ? "" : scheme + ":"
        // `user:password@proxy:3128`, a likely slip, reads as scheme `user`. Prometheus would show the password.
        if !hasAuthority, let at = rest.lastIndex(of: "@") { return text + "xxxxx" + rest[at...] }
        if hasAuthority { text += "//" }
        if let userInfo {
            if let colon = userInfo.firstIndex(of: ":") {
                text += "\(userInfo[..<colon]):xxxxx@"
            } else {
                text += "\(userInfo)@"
            }
        }
        return text + host + rest
    }

    /// A text that may not even be a URL, without what may be a user's name, a password or a token: all before the
    /// last `@`, all from the first `?` on.
    static func masked(_ text: String) -> String {
        let text = text.prefix { $0 != "?" } + (text.contains("?") ? "?..." : "")
        guard let at = text.lastIndex(of: "@") else { return String(text) }
        let start = text.firstRange(of: "//").map(\.upperBound) ?? text.startIndex
        return (start <= at ? text[..<start] : "") + "xxxxx" + text[at...]
    }

    private mutating func read(_ text: String) throws(ValueError) {
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw ValueError("net/url: invalid control character in URL")
        }
        rest = text[...]
        try readScheme()
        if rest.hasPrefix("//") {
            hasAuthority = true
            rest = rest.dropFirst(2)
            let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
            rest = rest[authority.endIndex...]
            if let at = authority.lastIndex(of: "@") {
                userInfo = authority[..<at]
                host = authority[authority.index(after: at)...]
            } else {
                host = authority
            }
            try checkHost()
        } else if scheme.isEmpty, !rest.hasPrefix("/"), rest.prefix(while: { $0 != "/" && $0 != "?" }).contains(":") {
            throw ValueError("first path segment in URL cannot contain colon")
        }
        try Self.checkEscapes(rest.prefix { $0 != "?" })
    }

    private mutating func readScheme() throws(ValueError) {
        for index in rest.indices {
            switch rest[index] {
            case "a"..."z", "A"..."Z": continue
            case "0"..."9", "+", "-", ".":
                if index == rest.startIndex { return }
            case ":":
                if index == rest.startIndex { throw ValueError("missing protocol scheme") }
                scheme = rest[..<index].lowercased()
                rest = rest[rest.index(after: index)...]
                return
            default: return
            }
        }
    }

    private func checkHost() throws(ValueError) {
        var port = host[host.endIndex...]
        if host.hasPrefix("[") {
            guard let close = host.lastIndex(of: "]") else { throw ValueError("missing ']' in host") }
            port = host[host.index(after: close)...]
        } else if let colon = host.lastIndex(of: ":") {
            port = host[colon...]
        }
        guard port.isEmpty || (port.first == ":" && port.dropFirst().utf8.allSatisfy(Self.isDigit)) else {
            // With an @ further on this may be the first half of a password that has a slash in it.
            throw ValueError(
                rest.contains("@") ? "invalid port after host" : "invalid port \(String(port).goQuoted) after host")
        }
        for character in host where " \"<>\\^`{|}".contains(character) {
            throw ValueError("invalid character \(String(character).goQuoted) in host name")
        }
    }

    private static func checkEscapes(_ text: Substring) throws(ValueError) {
        var rest = text.utf8
        while let percent = rest.firstIndex(of: UInt8(ascii: "%")) {
            let escape = rest[percent...].prefix(3)
            guard escape.count == 3, escape.dropFirst().allSatisfy(isHexDigit) else {
                throw ValueError("invalid URL escape \(String(Substring(escape)).goQuoted)")
            }
            rest = rest[escape.endIndex...]
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || ((byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "f"))
    }
}
