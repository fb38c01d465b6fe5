//
// SignedNote.swift: text with signatures under it, as checkpoints are exchanged.
//
// https://c2sp.org/signed-note: the text, an empty line, then a line for each signature: an em dash, the key's name, and
// base64 of the key's id and the signature.
//

import Crypto
import Foundation

/// Why a note or a key was not taken.
package enum NoteError: Error, Sendable, Hashable, CustomStringConvertible {
    /// It is no note, no key or no checkpoint; what is wrong with it.
    case malformed(String)
    /// None of the signatures is by this key.
    case notSigned(by: String)
    case wrongSignature(by: String)

    package var description: String {
        switch self {
        case .malformed(let what): what
        case .notSigned(let key): "there is no signature by \(key)"
        case .wrongSignature(let key): "the signature by \(key) does not fit the text"
        }
    }
}

/// A note as it is written.
package struct SignedNote: Sendable, Hashable, CustomStringConvertible {
    package struct Signature: Sendable, Hashable {
        package var name: String
        package var keyID: UInt32
        package var bytes: [UInt8]
    }

    /// Ends in a newline.
    package var text: String
    package var signatures: [Signature]

    /// More is not read: whoever sends a note must not fill the memory.
    package static let bytesMax = 1 << 20
    private static let signaturesMax = 100

    /// - Parameter text: Ends in a newline.
    package init(text: String, signedBy key: NoteSigner) throws(NoteError) {
        precondition(text.hasSuffix("\n"), "a note's text has to end in a newline")
        self.text = text
        signatures = [try key.sign(text)]
    }

    package init(_ note: String) throws(NoteError) {
        guard note.utf8.count <= Self.bytesMax else {
            throw .malformed("the note is longer than \(Self.bytesMax) bytes")
        }
        guard note.unicodeScalars.allSatisfy({ $0.value >= 0x20 || $0 == "\n" }) else {
            throw .malformed("the note has a control character in it")
        }
        // Unicode scalars: a carriage return in front of a newline would make one character of both.
        let lines = note.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.last == "", let blank = lines.dropLast().lastIndex(of: ""), blank > 0, blank + 2 < lines.count
        else {
            throw .malformed("the note has no signature after an empty line, or does not end in a newline")
        }
        guard lines.count - blank - 2 <= Self.signaturesMax else {
            throw .malformed("the note has more than \(Self.signaturesMax) signatures")
        }
        text = lines[..<blank].joined(separator: "\n") + "\n"
        signatures = []
        for line in lines[(blank + 1)..<(lines.count - 1)] {
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == "\u{2014}", NoteKey.isName(String(parts[1])),
                let bytes = Base64.decoded(String(parts[2])), bytes.count > 4
            else { throw .malformed("a signature's line has to be: em dash, name, base64 of id and signature") }
            let id = bytes[..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            signatures.append(Signature(name: String(parts[1]), keyID: id, bytes: Array(bytes[4...])))
        }
    }

    package var description: String {
        text + "\n"
            + signatures.map { signature in
                let id = withUnsafeBytes(of: signature.keyID.bigEndian) { Array($0) }
                return "\u{2014} \(signature.name) \(Base64.encoded(id + signature.bytes))\n"
            }.joined()
    }

    /// - Throws: ``NoteError`` unless the key has signed the text.
    package func requireSignature(by key: NoteVerifier) throws(NoteError) {
        let own = signatures.filter { $0.name == key.name && $0.keyID == key.id }
        guard !own.isEmpty else { throw .notSigned(by: "\(key)") }
        for signature in own where !key.key.isValidSignature(signature.bytes, for: Array(text.utf8)) {
            throw .wrongSignature(by: "\(key)")
        }
    }
}

/// RFC 4648, section 4; nothing but the one spelling of a value is taken.
enum Base64 {
    static func encoded(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    static func decoded(_ text: String) -> [UInt8]? {
        guard let data = Data(base64Encoded: text), data.base64EncodedString() == text else { return nil }
        return Array(data)
    }
}
