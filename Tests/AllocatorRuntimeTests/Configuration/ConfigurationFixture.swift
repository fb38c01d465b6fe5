//
// ConfigurationFixture.swift: configurations made from text, for the tests beside it.
//

import AllocatorRuntime
import Foundation
import PrometheusConfig
import Testing

/// A file in a folder of its own, gone with the value.
final class ConfigurationFixture {
    /// The shortest configuration that is complete.
    static let complete = """
        config:
          scrape_configs:
            - job_name: shop
              static_configs: [{targets: ["10.0.0.1:80"]}]
        ledger:
          collectors: {static: [otelcol-0, otelcol-1]}

        """

    private let folder: URL
    var path: String { folder.appending(path: "target-ledger.yaml").path }

    init(_ text: String) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "target-ledger-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: folder.appending(path: "target-ledger.yaml"))
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func sources(flags: [Setting: String] = [:], environment: [String: String] = [:]) -> ConfigurationSources {
        ConfigurationSources(
            flags: flags.merging([.configFile: path]) { given, _ in given }, environment: environment)
    }

    /// Reads `text` as the whole file.
    static func load(
        _ text: String, flags: [Setting: String] = [:], environment: [String: String] = [:]
    ) throws -> AllocatorConfiguration {
        let fixture = try ConfigurationFixture(text)
        return try AllocatorConfiguration(fixture.sources(flags: flags, environment: environment))
    }

    /// The refusal of `text`, its own path written as `file`.
    static func refusal(
        of text: String, flags: [Setting: String] = [:], environment: [String: String] = [:],
        at sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        let fixture = try ConfigurationFixture(text)
        let error = #expect(throws: ConfigurationError.self, sourceLocation: sourceLocation) {
            try AllocatorConfiguration(fixture.sources(flags: flags, environment: environment))
        }
        return (error?.description ?? "").replacing(fixture.path, with: "file")
    }
}
