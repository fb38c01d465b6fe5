//
// ImportRuleTests.swift: who may import whom, read from the sources themselves.
//

import Foundation
import Testing

/// Goal: imports point down the layers, never up or sideways, so that a part can be understood without those above it.
///
/// Method: every import line of every source file against the layers that Package.swift draws.
@Suite struct ImportRuleTests {
    /// The picture at the head of Package.swift, and its tools.
    private static let layers: [String: Int] = [
        "TargetLedger": 6, "TargetLedgerBenchmark": 6,
        "AllocatorAPI": 5,
        "AllocatorRuntime": 4,
        "Discovery": 3, "AllocationLedger": 3,
        "PrometheusConfig": 2, "EmbeddedPostgres": 2,
        "HTTPTransport": 1, "AllocationCore": 1, "PostgresDriver": 1, "Telemetry": 1,
        "CLibcurl": 0, "CCurlShim": 0, "CRE2": 0, "CLibpq": 0, "CSys": 0, "CZlib": 0, "CAllocationCount": 0,
    ]
    /// Run while the package is built, and no part of the product.
    private static let buildTools: Set<String> = ["EmbedMigrationsPlugin", "EmbedMigrationsTool"]
    /// The libraries of the operating system, which each have one module that may talk to them.
    private static let systemLibraries: [String: Set<String>] = [
        "CLibpq": ["PostgresDriver"], "CLibcurl": ["HTTPTransport"], "CCurlShim": ["HTTPTransport"],
        "CRE2": ["PrometheusConfig"],
    ]

    private struct Import {
        var file: String
        var module: String
        var imported: String
    }

    private static let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Sources")

    private func imports() throws -> [Import] {
        let root = Self.sources.resolvingSymlinksInPath().path()
        let files = try #require(FileManager.default.enumerator(at: Self.sources, includingPropertiesForKeys: nil))
        var found: [Import] = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let place = file.resolvingSymlinksInPath().path().dropFirst(root.count).drop { $0 == "/" }
            let module = String(place.prefix { $0 != "/" })
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                guard let imported = Self.imported(by: line) else { continue }
                found.append(Import(file: String(place), module: module, imported: imported))
            }
        }
        return found
    }

    /// The module of an import line, attributes and kinds left out: `@preconcurrency import struct NIOCore.ByteBuffer`.
    static func imported(by line: Substring) -> String? {
        var words = line.split { $0 == " " || $0 == "\t" }
        while let first = words.first,
            first.hasPrefix("@") || ["private", "internal", "package", "public"].contains(first)
        {
            words.removeFirst()
        }
        guard words.first == "import", words.count > 1 else { return nil }
        let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let name = words.count > 2 && kinds.contains(String(words[1])) ? words[2] : words[1]
        return String(name.prefix { $0 != "." && $0 != ";" })
    }

    @Test("Every folder of Sources has its layer")
    func everyModuleHasALayer() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path())
        for folder in folders where !Self.buildTools.contains(folder) {
            #expect(Self.layers[folder] != nil, "\(folder) stands in no layer")
        }
    }

    @Test("Imports point down")
    func importsPointDown() throws {
        let all = try imports()
        #expect(all.count > 100, "the sources were not found")
        for one in all where !Self.buildTools.contains(one.module) {
            guard let below = Self.layers[one.imported], let own = Self.layers[one.module] else { continue }
            #expect(below < own, "\(one.file) imports \(one.imported)")
        }
    }

    @Test("Each system library has one module that talks to it")
    func systemLibraries() throws {
        for one in try imports() {
            guard let allowed = Self.systemLibraries[one.imported] else { continue }
            #expect(allowed.contains(one.module), "\(one.file) imports \(one.imported)")
        }
    }

    @Test("The core needs nothing but the language")
    func coreIsPure() throws {
        // The C library for its functions on memory.
        let allowed: Set = ["Synchronization", "Glibc", "Musl"]
        for one in try imports() where one.module == "AllocationCore" {
            #expect(allowed.contains(one.imported), "\(one.file) imports \(one.imported)")
        }
    }

    @Test("Nobody brings a second user of libcurl")
    func oneUserOfLibcurl() throws {
        for one in try imports() { #expect(one.imported != "FoundationNetworking", "\(one.file)") }
    }

    @Test(
        "Import lines in all their forms",
        arguments: [
            ("import NIOCore", "NIOCore"), ("  @preconcurrency import struct NIOCore.ByteBuffer", "NIOCore"),
            ("private import CSys", "CSys"), ("// import CSys", nil), ("importance()", nil),
        ] as [(Substring, String?)])
    func lines(line: Substring, expected: String?) {
        #expect(Self.imported(by: line) == expected)
    }
}
