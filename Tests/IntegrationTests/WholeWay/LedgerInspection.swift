//
// LedgerInspection.swift: reads the ledger with psql, so that what is checked was read by nothing of the product.
//

import Foundation

/// SQL against the private cluster of a running allocator.
struct LedgerInspection {
    let process: AllocatorProcess

    /// The socket's folder and port stand in the fifth and fourth lines of postmaster.pid.
    func rows(_ sql: String) throws -> [[String]] {
        let data = process.folder.appending(path: "data")
        guard let files = FileManager.default.enumerator(at: data, includingPropertiesForKeys: nil) else { return [] }
        for case let file as URL in files where file.lastPathComponent == "postmaster.pid" {
            let lines = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
            guard lines.count > 5 else { continue }
            return try Self.psql(host: lines[4], port: lines[3], sql)
        }
        throw AllocatorProcess.Failure(description: "no postmaster.pid below \(data.path())")
    }

    func value(_ sql: String) throws -> String { try rows(sql).first?.first ?? "" }

    /// SQL as the superuser of a cluster that the product made.
    static func psql(
        host: String, port: String, database: String = "target_ledger", _ sql: String
    ) throws -> [[String]] {
        let psql = Process()
        psql.executableURL = URL(filePath: "/usr/bin/env")
        psql.arguments = [
            "psql", "-X", "-q", "-A", "-t", "-F", "\u{1F}", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port, "-U",
            "target_ledger", "-d", database, "-c", sql,
        ]
        let (output, errors) = (Pipe(), Pipe())
        psql.standardOutput = output
        psql.standardError = errors
        try psql.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        psql.waitUntilExit()
        guard psql.terminationStatus == 0 else { throw AllocatorProcess.Failure(description: "psql: \(complaint)") }
        return text.split(separator: "\n").map { $0.components(separatedBy: "\u{1F}") }
    }

    /// Every served list of a job as it must be by the current state: collector → body, rendered here from SQL.
    func expectedBodies(job: String) throws -> [String: String] {
        let sql = """
            SELECT c.name, t.address, t.identity,
                   (SELECT string_agg(to_json(l.name)::text || ':' || to_json(l.value)::text, ',' ORDER BY l.name COLLATE "C")
                    FROM ledger.label_set s, unnest(s.labels) AS pair(id) JOIN ledger.label l ON l.id = pair.id
                    WHERE s.id = ct.label_set)
            FROM ledger.current_target ct
            JOIN ledger.target t ON t.id = ct.target
            JOIN ledger.job j ON j.id = t.job
            JOIN ledger.collector c ON c.id = ct.collector
            WHERE j.name = '\(job)'
            ORDER BY c.name COLLATE "C", t.address COLLATE "C"
            """
        var bodies: [String: [String]] = [:]
        for row in try rows(sql) {
            bodies[row[0], default: []].append("{\"targets\":[\"\(row[1])\"],\"labels\":{\(row[3])}}")
        }
        return bodies.mapValues { "[" + $0.map(Self.htmlSafe).joined(separator: ",") + "]\n" }
    }

    /// Upstream's encoder escapes these three inside strings, and nothing outside strings has them.
    private static func htmlSafe(_ json: String) -> String {
        json.replacingOccurrences(of: "&", with: "\\u0026").replacingOccurrences(of: "<", with: "\\u003c")
            .replacingOccurrences(of: ">", with: "\\u003e")
    }
}
