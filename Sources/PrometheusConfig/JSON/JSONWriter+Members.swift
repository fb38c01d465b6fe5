//
// JSONWriter+Members.swift: members of an object that are left out when they say nothing.
//

/// Whether a rendering shows secrets.
package enum SecretRendering: Sendable, CaseIterable {
    /// A secret that is not empty is `<secret>`.
    case redacted
    /// For readers that are allowed to know.
    case clear
}

extension JSONWriter {
    mutating func member(_ key: StaticString, _ text: String) {
        self.key(key)
        string(text)
    }

    mutating func member(_ key: StaticString, _ value: Bool) {
        self.key(key)
        bool(value)
    }

    mutating func member(_ key: StaticString, ifNotEmpty text: String) {
        if !text.isEmpty { member(key, text) }
    }

    mutating func member(_ key: StaticString, ifNotEmpty texts: [String]) {
        guard !texts.isEmpty else { return }
        self.key(key)
        strings(texts)
    }

    mutating func member(_ key: StaticString, ifNotEmpty secret: Secret, _ secrets: SecretRendering) {
        if !secret.isEmpty { member(key, secret.text(secrets)) }
    }

    mutating func member(_ key: StaticString, ifTrue value: Bool) {
        if value { member(key, value) }
    }

    mutating func member(_ key: StaticString, ifNotZero value: UInt64) {
        guard value != 0 else { return }
        self.key(key)
        integer(value)
    }
}

extension Secret {
    /// The text that a rendering shows.
    func text(_ secrets: SecretRendering) -> String {
        switch secrets {
        case .clear: unredacted
        case .redacted: isEmpty ? "" : Self.redacted
        }
    }
}
