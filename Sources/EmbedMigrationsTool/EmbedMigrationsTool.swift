//
// EmbedMigrationsTool.swift: writes the SQL files given as arguments into one Swift source file.
//
// Each file becomes one element of `embeddedMigrations`, in the order given: its version (the number before the first
// underscore), its name and its text as a raw string.
//

import Foundation

@main
struct EmbedMigrationsTool {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let output = arguments.first else {
            throw Failure(description: "usage: embed-migrations OUTPUT.swift FILE.sql …")
        }
        var source = "// Written by embed-migrations from migrations/*.sql at each build.\n\n"
        source += "let embeddedMigrations: [(version: Int, name: String, sql: String)] = [\n"
        var seen: [Int: String] = [:]
        for path in arguments.dropFirst() {
            let url = URL(filePath: path)
            let name = url.deletingPathExtension().lastPathComponent
            guard let version = Int(name.prefix(while: { $0 != "_" })) else {
                throw Failure(description: "\(path): a migration's name starts with its number, as in 0001_create.sql")
            }
            // Of two with one number a database would get the first alone.
            if let other = seen.updateValue(path, forKey: version) {
                throw Failure(description: "\(path): has the number of \(other); take the next free one")
            }
            let sql = try String(contentsOf: url, encoding: .utf8)
            source += "    (\(version), \"\(name)\", ###\"\"\"\n\(sql)\n\"\"\"###),\n"
        }
        source += "]\n"
        try source.write(toFile: output, atomically: true, encoding: .utf8)
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }
}
