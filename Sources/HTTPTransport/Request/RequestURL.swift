//
// RequestURL.swift: takes URLs apart and puts them together, with libcurl's own parser, so that what is checked and shown
// is what is asked.
//

import CCurlShim

/// An absolute `http` or `https` URL.
package struct RequestURL: Sendable, Equatable, CustomStringConvertible {
    /// As it is asked for, user and password included.
    package let text: String
    package let scheme: String
    /// Without brackets around an IPv6 address.
    package let host: String
    package let port: Int
    /// Without user and password: fit to be shown.
    package let description: String

    /// Nil: not a URL, or of another scheme.
    package init?(_ text: String) {
        guard let handle = curl_url() else { return nil }
        defer { curl_url_cleanup(handle) }
        guard curl_url_set(handle, CURLUPART_URL, text, 0) == CURLUE_OK else { return nil }
        self.init(handle, text: text)
    }

    /// The URL that `Location: reference` of this one's answer names.
    func resolving(_ reference: String) -> RequestURL? {
        guard let handle = curl_url() else { return nil }
        defer { curl_url_cleanup(handle) }
        // The second call resolves against what the first one set.
        guard curl_url_set(handle, CURLUPART_URL, text, 0) == CURLUE_OK,
            curl_url_set(handle, CURLUPART_URL, reference, 0) == CURLUE_OK,
            let whole = Self.part(handle, CURLUPART_URL)
        else { return nil }
        return RequestURL(handle, text: whole)
    }

    private init?(_ handle: OpaquePointer, text: String) {
        guard let scheme = Self.part(handle, CURLUPART_SCHEME)?.lowercased(), ["http", "https"].contains(scheme),
            let host = Self.part(handle, CURLUPART_HOST), !host.isEmpty,
            let port = Self.part(handle, CURLUPART_PORT, UInt32(CURLU_DEFAULT_PORT)).flatMap({ Int($0) })
        else { return nil }
        self.text = text
        self.scheme = scheme
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        self.port = port
        guard Self.part(handle, CURLUPART_USER) != nil || Self.part(handle, CURLUPART_PASSWORD) != nil else {
            description = text
            return
        }
        _ = curl_url_set(handle, CURLUPART_USER, nil, 0)
        _ = curl_url_set(handle, CURLUPART_PASSWORD, nil, 0)
        description = Self.part(handle, CURLUPART_URL) ?? "\(scheme)://\(host)"
    }

    private static func part(_ handle: OpaquePointer, _ part: CURLUPart, _ flags: UInt32 = 0) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(handle, part, &text, flags) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }

    /// The same URL at another host.
    func renamed(host: String) -> String? {
        guard let handle = curl_url() else { return nil }
        defer { curl_url_cleanup(handle) }
        guard curl_url_set(handle, CURLUPART_URL, text, 0) == CURLUE_OK,
            curl_url_set(handle, CURLUPART_HOST, host, 0) == CURLUE_OK
        else { return nil }
        return Self.part(handle, CURLUPART_URL)
    }

    /// A text that may be no URL at all, without what could be a password.
    package static func redacted(_ text: String) -> String {
        if let url = RequestURL(text) { return url.description }
        guard let at = text.lastIndex(of: "@") else { return text }
        let rest = text[text.index(after: at)...]
        guard let scheme = text.firstRange(of: "://") else { return String(rest) }
        return String(text[..<scheme.upperBound] + rest)
    }

    /// Whether credentials meant for this host may go to another: to itself and to hosts of its domain.
    func shares(credentialsWith other: RequestURL) -> Bool {
        let (mine, theirs) = (host.lowercased(), other.host.lowercased())
        guard scheme == other.scheme || other.scheme == "https" else { return false }
        if mine == theirs { return true }
        let isAddress = mine.contains(":") || mine.allSatisfy { $0.isNumber || $0 == "." }
        return !isAddress && theirs.hasSuffix("." + mine)
    }
}
