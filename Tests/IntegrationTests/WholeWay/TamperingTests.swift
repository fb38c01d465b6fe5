//
// TamperingTests.swift: somebody with all rights changes the ledger; verify must say so and name the place.
//

import Foundation
import Testing

/// Goal: nothing is reported on an untouched ledger, and each kind of alteration is found.
///
/// Method: one small ledger made by the real executable; each alteration is made with psql as the owner, with the
/// triggers switched off, and undone by restoring a copy of the table.
@ProcessTests @Suite struct TamperingTests {
    @Test("Each alteration is found and named, an untouched ledger is OK")
    func alterations() throws {
        let process = try AllocatorProcess(
            jobs: "    - {job_name: shop, static_configs: [{targets: ['a:1', 'b:1', 'c:1']}]}",
            ledger: "  collectors: {static: [col-0, col-1]}")
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("shop") }
        let ledger = LedgerInspection(process: process)
        let untouched = try process.run(["verify"])
        #expect(untouched.status == 0, "\(untouched.output) \(untouched.errors)")
        #expect(untouched.output.hasPrefix("OK: "))
        // Another program, written from the format's page, comes to the same tip.
        let independent = try independently(process)
        #expect(independent.status == 0, "\(independent.output)")
        let tip = untouched.output.matches(of: /[0-9a-f]{64}/).last.map { String($0.0) } ?? "none"
        #expect(independent.output.contains("digest \(tip)"), "\(independent.output) \(untouched.output)")
        let last = try ledger.value("SELECT max(revision) FROM ledger.revision")
        let alterations: [(table: String, sql: String, expected: String)] = [
            ("target_event", "UPDATE ledger.target_event SET reason = 2 WHERE ordinal = 1", "ALTERED revision \(last)"),
            ("target_event", "DELETE FROM ledger.target_event WHERE ordinal = 1", "MISSING revision \(last) event 1"),
            (
                "target_event", "UPDATE ledger.target_event SET ordinal = ordinal + 1000",
                "MISSING revision \(last) event 0"
            ),
            ("revision", "UPDATE ledger.revision SET cause_detail = 'x' WHERE revision = 1", "ALTERED revision 1"),
            ("revision", "DELETE FROM ledger.revision WHERE revision = 2", "MISSING revision 2"),
            ("revision", "DELETE FROM ledger.revision WHERE revision = \(last)", "revision \(last)"),
            ("label", "UPDATE ledger.label SET value = 'z:1' WHERE value = 'a:1'", "ALTERED: ledger.label_set"),
            ("label", "DELETE FROM ledger.label WHERE value = 'a:1'", "MISSING: ledger.label row"),
            ("collector", "UPDATE ledger.collector SET name = 'col-9' WHERE name = 'col-0'", "ALTERED revision"),
            ("current_target", "UPDATE ledger.current_target SET collector = NULL", "ALTERED: the current state"),
        ]
        for alteration in alterations {
            let table = "ledger.\(alteration.table)"
            let off = "SET session_replication_role = replica;"
            _ = try ledger.rows("\(off) CREATE TABLE public.kept AS TABLE \(table); \(alteration.sql)")
            let found = try process.run(["verify"])
            #expect(found.status == 1, "\(alteration.sql): \(found.output)")
            let firstLine = found.output.split(separator: "\n").first ?? ""
            #expect(firstLine.contains(alteration.expected), "\(alteration.sql): \(firstLine)")
            // The current state is no part of the chain.
            let isFound = try independently(process).status == 1
            #expect(isFound || alteration.table == "current_target", "\(alteration.sql)")
            _ = try ledger.rows(
                "\(off) DELETE FROM \(table); INSERT INTO \(table) SELECT * FROM public.kept; DROP TABLE public.kept")
        }
        #expect(try process.run(["verify"]).status == 0)
        process.stop()
    }

    /// Runs Tests/Shell/verify-ledger.
    private func independently(_ process: AllocatorProcess) throws -> (status: Int32, output: String) {
        let verifier = Process()
        verifier.executableURL = ReadmeExamples.repository.appending(path: "Tests/Shell/verify-ledger")
        verifier.arguments = [
            "host=\(process.folder.path())/data/socket user=target_ledger dbname=target_ledger"
        ]
        let pipe = Pipe()
        verifier.standardOutput = pipe
        verifier.standardError = pipe
        try verifier.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        verifier.waitUntilExit()
        return (verifier.terminationStatus, output)
    }

    @Test("History refuses to be changed, for its owner too")
    func appendOnly() throws {
        let process = try AllocatorProcess(
            jobs: "    - {job_name: shop, static_configs: [{targets: ['a:1']}]}",
            ledger: "  collectors: {static: [col-0]}")
        try process.start()
        try process.wait(for: "/jobs") { $0.text.contains("shop") }
        let ledger = LedgerInspection(process: process)
        for table in ["revision", "target_event", "label", "label_set", "target", "collector"] {
            for sql in ["DELETE FROM ledger.\(table)", "TRUNCATE ledger.\(table)"] {
                #expect(throws: AllocatorProcess.Failure.self, "\(sql)") { try ledger.rows(sql) }
            }
        }
        let partition = try ledger.value(
            "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'ledger.target_event'::regclass LIMIT 1")
        #expect(throws: AllocatorProcess.Failure.self) { try ledger.rows("TRUNCATE \(partition)") }
        process.stop()
    }
}
