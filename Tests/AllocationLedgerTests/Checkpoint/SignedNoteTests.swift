import Foundation
import Glibc
import Testing

@testable import AllocationLedger

/// Goal: notes, keys and checkpoints are byte for byte what other implementations write and take.
///
/// Method: the example of golang.org/x/mod/sumdb/note's documentation, the example of c2sp.org/signed-note, and each way
/// in which a note can be wrong. Ed25519 is deterministic, so the signature has to be the same.
@Suite struct SignedNoteTests {
    private static let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    private static let verifier = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    private static let text =
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    private static let signature =
        "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="

    @Test("The published note is signed and taken")
    func published() throws {
        let key = try NoteSigner(" \(Self.secret)\n")
        #expect("\(key)" == Self.verifier)
        #expect(key.secretText == Self.secret)
        let note = "\(Self.text)\n\(Self.signature)\n"
        #expect("\(try SignedNote(text: Self.text, signedBy: key))" == note)
        let read = try SignedNote(note)
        #expect(read.text == Self.text)
        #expect("\(read)" == note)
        try read.requireSignature(by: NoteVerifier(Self.verifier))
    }

    @Test("The specification's own example is taken")
    func specification() throws {
        let key = try NoteVerifier("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
        let note = try SignedNote(
            "This is an example message.\n\n\u{2014} example.com/foo "
                + "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n")
        try note.requireSignature(by: key)
        #expect(throws: NoteError.notSigned(by: Self.verifier)) {
            try note.requireSignature(by: NoteVerifier(Self.verifier))
        }
    }

    @Test("A changed text is not signed, and a signature of another key does not matter")
    func changed() throws {
        let key = try NoteSigner(Self.secret)
        var note = try SignedNote(text: Self.text, signedBy: key)
        let other = try NoteSigner(newFor: "example.com/witness")
        note.signatures.append(try other.sign("something else\n"))
        try note.requireSignature(by: key.verifier)
        #expect(throws: NoteError.wrongSignature(by: "\(other)")) { try note.requireSignature(by: other.verifier) }
        note.text = Self.text.replacing("cryptography", with: "allocation")
        #expect(throws: NoteError.wrongSignature(by: Self.verifier)) { try note.requireSignature(by: key.verifier) }
    }

    @Test(
        "What is no note is refused",
        arguments: [
            "", "\n", "text\n", "text\n\n", "text\n\nno signature\n", "text\n\n- name AAAAAAA=\n",
            "text\n\n\u{2014} name AAAAAAA=", "text\n\n\u{2014} na+me x08go/ZJkuBS9UG/\n",
            "text\n\n\u{2014} name x08go*\n",
            "text\n\n\u{2014} name x08g\n", "te\u{1}xt\n\n\u{2014} name x08go/ZJ\n",
            "text\r\n\n\u{2014} name x08go/ZJ\n",
            "\n\u{2014} name x08go/ZJkuBS\n", "text\n\n\u{2014}  x08go/ZJkuBS\n",
        ])
    func malformed(note: String) {
        #expect(throws: NoteError.self) { try SignedNote(note) }
    }

    @Test(
        "What is no key is refused",
        arguments: [
            "", "name", "PeterNeumann+c74f20a3+", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PRIVATE+KEY+PeterNeumann+c74f20a4+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
            "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKD==",
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n",
        ])
    func malformedKey(text: String) {
        #expect(throws: NoteError.self) { try NoteVerifier(text) }
        #expect(throws: NoteError.self) { try NoteSigner(text) }
    }

    @Test("A checkpoint is three lines, and lines behind them say nothing here")
    func checkpoint() throws {
        let root = Digest32.hash([1])
        let checkpoint = Checkpoint(origin: "example.com/ledger", size: 20_852_163, root: root)
        let base64 = Data(root.bytes).base64EncodedString()
        #expect(checkpoint.text == "example.com/ledger\n20852163\n\(base64)\n")
        #expect(try Checkpoint(text: checkpoint.text) == checkpoint)
        #expect(try Checkpoint(text: checkpoint.text + "extension\n") == checkpoint)
        // The example of c2sp.org/tlog-checkpoint.
        let published = try Checkpoint(
            text: "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")
        #expect(published.origin == "example.com/behind-the-sofa" && published.size == 20_852_163)
        for wrong in [
            "a\n1\n", "a\n01\n\(base64)\n", "a\n-1\n\(base64)\n", "a\n+1\n\(base64)\n", "\n1\n\(base64)\n",
            "a\n1\n\(base64.dropLast())\n", "a\n1\nAAAA\n", "a\n1\n\(base64)", "a\n1\n\(base64)\n\n",
        ] {
            #expect(throws: NoteError.self, "\(wrong)") { try Checkpoint(text: wrong) }
        }
    }

    @Test("A key is made for its owner alone, read again, and refused when others can read it")
    func keyFile() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "key-\(UUID().uuidString)").path()
        defer { unlink(path) }
        let key = try CheckpointKeyFile.create(path, name: "example.com/ledger")
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(try CheckpointKeyFile.read(path).secretText == key.secretText)
        // A key that is there is not overwritten.
        #expect(throws: CheckpointKeyError.self) { try CheckpointKeyFile.create(path, name: "example.com/ledger") }
        chmod(path, 0o640)
        #expect(try CheckpointKeyFile.read(path).name == "example.com/ledger")
        chmod(path, 0o644)
        let refusal = #expect(throws: CheckpointKeyError.self) { try CheckpointKeyFile.read(path) }
        #expect(refusal?.description.contains("others can read or change it (mode 644)") == true)
        #expect(throws: CheckpointKeyError.self) { try CheckpointKeyFile.read(path + "-none") }
        #expect(throws: CheckpointKeyError.self) { try CheckpointKeyFile.read("/dev/null") }
        #expect(throws: NoteError.self) { try CheckpointKeyFile.create(path + "-other", name: "two words") }
    }
}
