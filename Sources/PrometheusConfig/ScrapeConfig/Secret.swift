//
// Secret.swift: a text that prints as `<secret>` wherever it is not asked for by name.
//

/// A password, token or key.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The real text. For a request that needs it, or a reader who is allowed to see it.
    package var unredacted: String

    package init(_ unredacted: String) { self.unredacted = unredacted }

    package var isEmpty: Bool { unredacted.isEmpty }
    package static let redacted = "<secret>"
    package var description: String { Self.redacted }
    package var debugDescription: String { Self.redacted }
    /// Without this `dump` would print the text.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
