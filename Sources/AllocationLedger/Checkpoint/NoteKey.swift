//
// NoteKey.swift: Ed25519 keys with names, as they sign notes.
//
// https://c2sp.org/signed-note for names, ids and signatures. The text form of keys is that of Go's
// golang.org/x/mod/sumdb/note: `PRIVATE+KEY+name+id+base64` and `name+id+base64`, where the base64 begins with the byte 1
// for Ed25519.
//

import Crypto

enum NoteKey {
    static let ed25519: UInt8 = 1

    /// Not empty, without spaces and plus.
    static func isName(_ name: String) -> Bool {
        !name.isEmpty
            && name.unicodeScalars.allSatisfy { !$0.properties.isWhitespace && $0 != "+" && $0.value >= 0x20 }
    }

    static func id(_ name: String, _ key: [UInt8]) -> UInt32 {
        let digest = Digest32.hash(Array(name.utf8) + [0x0A, ed25519] + key)
        return UInt32(bitPattern: digest.prefix)
    }

    static func hexadecimal(_ id: UInt32) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

/// Checks signatures: the public half, with its name.
package struct NoteVerifier: Sendable, CustomStringConvertible {
    package let name: String
    let id: UInt32
    let key: Curve25519.Signing.PublicKey

    init(name: String, key: Curve25519.Signing.PublicKey) {
        self.name = name
        self.key = key
        id = NoteKey.id(name, Array(key.rawRepresentation))
    }

    /// Reads `name+id+base64`.
    package init(_ text: String) throws(NoteError) {
        let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, NoteKey.isName(parts[0]), let bytes = Base64.decoded(parts[2]), bytes.count == 33,
            bytes[0] == NoteKey.ed25519, let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes[1...])
        else { throw .malformed("a verifier key has to be name+id+base64 of an Ed25519 key") }
        self.init(name: parts[0], key: key)
        guard parts[1] == NoteKey.hexadecimal(id) else {
            throw .malformed("the id in the verifier key is not that of its name and key")
        }
    }

    package var description: String {
        "\(name)+\(NoteKey.hexadecimal(id))+\(Base64.encoded([NoteKey.ed25519] + key.rawRepresentation))"
    }
}

/// Signs notes: the private half, with its name. Its description is only the public half.
package struct NoteSigner: Sendable, CustomStringConvertible {
    package let name: String
    private let key: Curve25519.Signing.PrivateKey

    /// Makes a new key.
    package init(newFor name: String) throws(NoteError) {
        guard NoteKey.isName(name) else {
            throw .malformed(
                "\(String(reflecting: name)) is no name of a key: it is empty, or has a space or a plus in it")
        }
        self.name = name
        key = Curve25519.Signing.PrivateKey()
    }

    /// Reads `PRIVATE+KEY+name+id+base64`; white space around it does not matter.
    package init(_ text: String) throws(NoteError) {
        let form = "a checkpoint key has to be one line, PRIVATE+KEY+name+id+base64"
        let text = text.trimmingSpace
        guard !text.hasPrefix("-----BEGIN") else {
            throw .malformed("\(form); this is a PEM file, which has no name; `checkpoint --new-key` makes such a key")
        }
        let parts = text.split(separator: "+", maxSplits: 4, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, parts[0] == "PRIVATE", parts[1] == "KEY", NoteKey.isName(parts[2]),
            let bytes = Base64.decoded(parts[4]), bytes.count == 33, bytes[0] == NoteKey.ed25519,
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes[1...])
        else { throw .malformed("\(form) of an Ed25519 key") }
        self.name = parts[2]
        self.key = key
        guard parts[3] == NoteKey.hexadecimal(verifier.id) else {
            throw .malformed("the id in the checkpoint key is not that of its name and key")
        }
    }

    package var verifier: NoteVerifier { NoteVerifier(name: name, key: key.publicKey) }

    /// The key itself, as ``init(_:)`` reads it.
    package var secretText: String {
        let secret = Base64.encoded([NoteKey.ed25519] + key.rawRepresentation)
        return "PRIVATE+KEY+\(name)+\(NoteKey.hexadecimal(verifier.id))+\(secret)"
    }

    package var description: String { "\(verifier)" }

    func sign(_ text: String) throws(NoteError) -> SignedNote.Signature {
        guard let signature = try? key.signature(for: Array(text.utf8)) else {
            throw .malformed("the text could not be signed")
        }
        return SignedNote.Signature(name: name, keyID: verifier.id, bytes: Array(signature))
    }
}

extension String {
    fileprivate var trimmingSpace: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
