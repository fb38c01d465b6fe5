//
// Checkpoint.swift: the state of the whole log in three lines.
//
// https://c2sp.org/tlog-checkpoint: origin, number of leaves, root of the RFC 6962 tree; signed as a note. Whoever keeps
// one can prove later that nothing up to there was changed or cut off.
//

/// A tree head.
package struct Checkpoint: Sendable, Hashable {
    /// Which log: the name of the key that signs.
    package var origin: String
    /// Revisions that it covers: 1 to this one.
    package var size: Int64
    package var root: Digest32

    package init(origin: String, size: Int64, root: Digest32) {
        self.origin = origin
        self.size = size
        self.root = root
    }

    /// A note's text.
    package var text: String { "\(origin)\n\(size)\n\(Base64.encoded(root.bytes))\n" }

    /// Reads a note's text; lines after the third say nothing here.
    package init(text: String) throws(NoteError) {
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.count >= 4, lines.last == "", lines.dropLast().allSatisfy({ !$0.isEmpty }) else {
            throw .malformed("a checkpoint has to be three lines: origin, size, root")
        }
        guard let size = Int64(lines[1]), size >= 0, "\(size)" == lines[1] else {
            throw .malformed("a checkpoint's second line has to be the number of leaves")
        }
        guard let root = Base64.decoded(lines[2]).flatMap({ Digest32($0) }) else {
            throw .malformed("a checkpoint's third line has to be the root hash in base64")
        }
        self.init(origin: lines[0], size: size, root: root)
    }

    /// - Throws: ``NoteError``.
    package func signed(by key: NoteSigner) throws(NoteError) -> SignedNote {
        try SignedNote(text: text, signedBy: key)
    }
}
