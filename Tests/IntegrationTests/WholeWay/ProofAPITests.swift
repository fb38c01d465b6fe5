import Foundation
import Testing

/// Goal: what the history API proves, others can check: checkpoints, proofs, whole exports, verification of a window.
///
/// Method: a real process with a key; its answers are handed to the program's own commands and to
/// Tests/Shell/verify-ledger.
@ProcessTests @Suite struct ProofAPITests {
    private static let jobs = "    - {job_name: shop, static_configs: [{targets: ['a:1', 'b:1', 'c:1']}]}"

    private func object(_ answer: PlainAnswer) throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any], "\(answer.text.prefix(300))")
    }

    @Test("Checkpoints, proofs and exports of a running process are taken by others; what was altered is told")
    func proofs() throws {
        let keyFile = FileManager.default.temporaryDirectory.appending(path: "key-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: keyFile) }
        let process = try AllocatorProcess(
            jobs: Self.jobs, ledger: "  collectors: {static: [one, two]}\n  checkpoint_key_file: \(keyFile)")
        let made = try process.run(["checkpoint", "--new-key", "example.com/ledger", keyFile])
        #expect(made.status == 0, "\(made.errors)")
        let key = made.output.trimmingCharacters(in: .newlines)
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("shop") }

        let checkpoint = try process.get("/api/v1/checkpoint")
        #expect(checkpoint.status == 200 && checkpoint.headers["content-type"]?.hasPrefix("text/plain") == true)
        let note = try ScratchFile(checkpoint.body)
        #expect(try process.run(["checkpoint"]).output == checkpoint.text)
        let verified = try process.run(["verify", "--checkpoint", note.path, "--key", key])
        #expect(verified.status == 0 && verified.output.contains("checkpoint"), "\(verified.output) \(verified.errors)")

        for route in ["revisions/1/proof", "revisions/2/proof", "consistency?first=1", "consistency?first=2"] {
            let answer = try process.get("/api/v1/\(route)")
            #expect(answer.status == 200, "\(answer.text)")
            #expect(try object(answer)["checkpoint"] as? String == checkpoint.text)
            let proof = try ScratchFile(answer.body)
            let taken = try IndependentVerifier.run(
                "--proof", proof.path, "--checkpoint", note.path, "--key", key)
            #expect(taken.status == 0, "\(route): \(taken.output)")
        }
        let command = try process.run(["prove", "--revision", "1"])
        let printed = try ScratchFile(Array(command.output.utf8))
        let taken = try withExtendedLifetime((printed, note)) {
            try IndependentVerifier.run("--proof", printed.path, "--checkpoint", note.path)
        }
        #expect(taken.status == 0, "\(taken.output) \(command.output) \(command.errors)")
        #expect(try process.get("/api/v1/revisions/1/proof?size=1").status == 200)
        #expect(try process.get("/api/v1/revisions/2/proof?size=1").status == 400)
        #expect(try process.get("/api/v1/revisions/999/proof").status == 404)
        #expect(try process.get("/api/v1/consistency").status == 400)

        let whole = try process.get("/api/v1/export?what=whole")
        #expect(whole.status == 200)
        let export = try ScratchFile(whole.body)
        let offline = try process.run(["verify", "--export", export.path, "--output", "ndjson"])
        #expect(
            offline.status == 0 && offline.output.contains(#""verdict":"OK""#), "\(offline.output) \(offline.errors)")
        #expect(try IndependentVerifier.run("--export", export.path).status == 0)
        for what in ["events", "moves", "collectors", "revisions", "state"] {
            for format in ["ndjson", "csv"] {
                let answer = try process.get("/api/v1/export?what=\(what)&format=\(format)")
                let printed = try process.run(["export", "--what", what, "--output", format])
                #expect(answer.status == 200 && answer.text == printed.output, "\(what), \(format): \(printed.errors)")
                #expect(answer.text.split(whereSeparator: \.isNewline).count > 1, "\(what), \(format)")
            }
        }
        let numbers = try process.get("/api/v1/export?what=revisions").text.matches(of: /"revision":([0-9]+)/)
        #expect(numbers.compactMap { Int($0.1) }.first == 1, "the oldest comes first")
        let one = try process.get("/api/v1/export?what=state&match[]=%7B__address__=%22a:1%22%7D")
        #expect(one.text.split(separator: "\n").count == 1 && one.text.contains("a:1"), "\(one.text)")
        for query in [
            "what=whole&format=csv", "what=whole&since=1", "what=nothing", "format=xml", "what=state&since=1", "at=1",
            "what=moves&match[]=%7B%7D",
        ] {
            #expect(try process.get("/api/v1/export?\(query)").status == 400, "\(query)")
        }
        #expect(try process.get("/api/v1/export?what=state&at=999").status == 404)

        let intact = try object(try process.get("/api/v1/verify"))
        #expect(intact["intact"] as? Bool == true && (intact["revisions"] as? Int ?? 0) >= 2, "\(intact)")
        let past = try object(try process.get("/api/v1/verify?until=2020-01-01T00:00:00Z"))
        #expect(past["revisions"] as? Int == 0 && past["first_revision"] is NSNull)
        _ = try LedgerInspection(process: process).rows(
            "SET session_replication_role = replica; UPDATE ledger.target_event SET reason = 2 WHERE ordinal = 1")
        #expect(try object(try process.get("/api/v1/verify"))["intact"] as? Bool == false)
        process.stop()
    }

    @Test("Without a key nothing is signed; a key that others can read is refused at the start")
    func keys() throws {
        let process = try AllocatorProcess(jobs: Self.jobs, ledger: "  collectors: {static: [one]}")
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("shop") }
        let answer = try process.get("/api/v1/checkpoint")
        #expect(answer.status == 404 && answer.text.contains("checkpoint_key_file"), "\(answer.text)")
        #expect(try object(try process.get("/api/v1/revisions/1/proof"))["checkpoint"] is NSNull)
        process.stop()
        let file = process.folder.appending(path: "open.key").path()
        #expect(try process.run(["checkpoint", "--new-key", "example.com/ledger", file]).status == 0)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        let refused = try process.run(["checkpoint", "--checkpoint-key-file", file])
        #expect(refused.status == 1 && refused.errors.contains("others can read or change it"), "\(refused.errors)")
        #expect(try process.run(["checkpoint"]).status == 2)
        #expect(try process.run(["checkpoint", "--new-key", "two words", file + "2"]).status == 2)
    }
}
