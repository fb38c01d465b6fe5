//
// ConfigurationBadInputTests.swift: what whoever starts the program with a wrong configuration reads, and its status.
//

import AllocatorRuntime
import Foundation
import PrometheusConfig
import Testing

/// Goal: a wrong configuration ends the program with status 1 and a line that names the file, the place in it, the key
/// and what is allowed or meant; no secret is ever among it.
///
/// Method: one mistake a file, each handed to the built executable; what it writes is compared whole.
@ProcessTests @Suite struct ConfigurationBadInputTests {
    /// A mistake and the message it must bring, in which `FILE` stands for the file's path.
    struct Mistake: Sendable, CustomTestStringConvertible {
        let name: String
        let text: String
        let message: String

        var testDescription: String { name }

        init(_ name: String, jobs: String, _ message: String) {
            self.name = name
            text = "config:\n  scrape_configs:\n\(jobs)\nledger: {collectors: {static: [a]}}\n"
            self.message = message
        }

        init(_ name: String, ledger: String, _ message: String) {
            self.name = name
            text =
                "config: {scrape_configs: [{job_name: a, static_configs: [{targets: [b]}]}]}\n"
                + "ledger:\n  collectors: {static: [a]}\n  \(ledger)\n"
            self.message = message
        }

        init(_ name: String, text: String, _ message: String) {
            self.name = name
            self.text = text
            self.message = message
        }
    }

    nonisolated static let mistakes = [
        Mistake(
            "broken YAML", text: "config:\n  scrape_configs: [\n    {job_name: a\nledger: {}\n",
            "FILE:4:7: not valid YAML: did not find expected ',' or '}' while parsing a flow mapping that begins in line 3"
        ),
        Mistake(
            "a list instead of a mapping", text: "- config\n",
            "FILE:1:1: expected a mapping of settings to values"),
        Mistake(
            "an unknown key of ours", ledger: "colectors: {static: [a]}",
            #"FILE:4:3: ledger: unknown key "colectors"; did you mean "collectors"?"#),
        Mistake(
            "an unknown key of ours, deeper", ledger: "lease: {tll: 10s}",
            #"FILE:4:11: ledger.lease: unknown key "tll"; did you mean "ttl"?"#),
        Mistake(
            "a bad relabel regex", jobs: "    - job_name: a\n      relabel_configs: [{action: keep, regex: 'a('}]",
            "FILE:4:47: config.scrape_configs[0].relabel_configs[0].regex: error parsing regexp: missing closing ): "
                + "`^(?s:a()$`"),
        Mistake(
            "a bad duration of ours", ledger: "lease: {ttl: 10x}",
            #"FILE:4:16: ledger.lease.ttl: expected a duration such as "10s", "1h30m" or "90d""#),
        Mistake(
            "a bad duration of Prometheus", jobs: "    - {job_name: a, scrape_interval: 5 minutes}",
            #"FILE:3:38: config.scrape_configs[0].scrape_interval: unknown unit " minutes" in duration "5 minutes""#),
        Mistake(
            "two jobs of one name", jobs: "    - {job_name: shop}\n    - {job_name: shop}",
            #"FILE:4:18: config.scrape_configs[1].job_name: found multiple scrape configs with job name "shop""#),
        Mistake(
            "a text where a number belongs", jobs: "    - {job_name: a, sample_limit: lots}",
            #"FILE:3:35: config.scrape_configs[0].sample_limit: expected a whole number of 0 or more, found "lots""#),
        Mistake(
            "a mechanism of discovery that is not there yet",
            jobs: "    - {job_name: a, kubernetes_sd_configs: [{role: pod}]}",
            "FILE:3:44: config.scrape_configs[0].kubernetes_sd_configs: kubernetes_sd_configs is not supported yet; "
                + "supported: static_configs, file_sd_configs, http_sd_configs"),
        Mistake(
            "a pattern that file discovery does not take",
            jobs: "    - {job_name: a, file_sd_configs: [{files: [targets.txt]}]}",
            "FILE:3:47: config.scrape_configs[0].file_sd_configs[0].files: "
                + #"path name "targets.txt" is not valid for file discovery"#),
        Mistake(
            "a pattern with the star in a folder's name",
            jobs: "    - {job_name: a, file_sd_configs: [{files: ['*/x.json']}]}",
            "FILE:3:47: config.scrape_configs[0].file_sd_configs[0].files: "
                + #"path name "*/x.json" is not valid for file discovery"#),
        Mistake(
            "a strategy that is not there yet",
            text:
                "allocation_strategy: per-node\nconfig: {scrape_configs: [{job_name: a}]}\nledger: {collectors: {static: [a]}}\n",
            #"FILE:1:22: allocation_strategy: "per-node" is not supported yet; allowed: "consistent-hashing", "least-weighted", "sticky""#
        ),
    ]

    @Test("A mistake in the file is told with its place and what is allowed", arguments: mistakes)
    func mistake(mistake: Mistake) throws {
        let folder = try BadInputFolder()
        let path = try folder.write("config.yaml", mistake.text)
        let error = try #require(throws: ConfigurationError.self) {
            try AllocatorConfiguration(ConfigurationSources(flags: [.configFile: path], environment: [:]))
        }
        #expect(error.description.replacing(path, with: "FILE") == mistake.message)
    }

    @Test("check-config writes that and nothing else, with status 1")
    func checkConfig() throws {
        for mistake in [Self.mistakes[0], Self.mistakes[2], Self.mistakes[10]] {
            let folder = try BadInputFolder()
            let path = try folder.write("config.yaml", mistake.text)
            let answer = try AllocatorProcess.run(["check-config", "--config-file", path])
            #expect(answer.errors.replacing(path, with: "FILE") == "target-ledger: \(mistake.message)\n")
            #expect(answer.output.isEmpty)
            #expect(answer.status == 1)
        }
    }

    @Test("Serving refuses it with the same words, before it touches anything")
    func serving() throws {
        let folder = try BadInputFolder()
        let path = try folder.write(
            "config.yaml",
            "config: {scrape_configs: [{job_name: a}]}\nledger:\n  colectors: {static: [a]}\n"
                + "  embedded: {data_directory: \(folder.url.path())/data}\n")
        for command in [["serve"], []] {
            let answer = try AllocatorProcess.run(command + ["--config-file", path])
            #expect(
                answer.errors
                    == "target-ledger: \(path):3:3: ledger: unknown key \"colectors\"; did you mean \"collectors\"?\n")
            #expect(answer.status == 1)
        }
        #expect(!FileManager.default.fileExists(atPath: folder.url.path() + "/data"))
    }

    @Test("An unknown key of upstream's part is accepted, with a warning that names the nearest")
    func warning() throws {
        let folder = try BadInputFolder()
        let path = try folder.write(
            "config.yaml",
            "allocation_stratgy: least-weighted\nconfig: {scrape_configs: [{job_name: a, scrape_intervall: 5s}]}\n"
                + "ledger: {collectors: {static: [a]}}\n")
        let answer = try AllocatorProcess.run(["check-config", "--config-file", path])
        #expect(
            answer.errors == "warning: \(path):1:1: unknown key \"allocation_stratgy\" is ignored; "
                + "did you mean \"allocation_strategy\"?\n"
                + "warning: \(path):2:41: config.scrape_configs[0]: unknown key \"scrape_intervall\" is ignored; "
                + "did you mean \"scrape_interval\"?\n")
        #expect(answer.output.hasPrefix("\(path): OK\n"))
        #expect(answer.status == 0)
    }

    @Test("A file that is missing, a folder, below a file, a link to itself, no text")
    func unreadable() throws {
        let folder = try BadInputFolder()
        let text = try folder.write("text", "config: {}\n")
        let bytes = folder.url.appending(path: "bytes").path()
        try Data([0x63, 0xFF, 0xFE]).write(to: URL(filePath: bytes))
        let loop = folder.url.appending(path: "loop").path()
        try FileManager.default.createSymbolicLink(atPath: loop, withDestinationPath: loop)
        for (path, why) in [
            (text + ".yaml", "cannot be opened: No such file or directory"),
            (folder.url.path(), "cannot be read: Is a directory"),
            (text + "/config.yaml", "cannot be opened: Not a directory"),
            (loop, "cannot be opened: Too many levels of symbolic links"),
            (bytes, "is not UTF-8"),
        ] {
            let error = try #require(throws: ConfigurationError.self) {
                try AllocatorConfiguration(ConfigurationSources(flags: [.configFile: path], environment: [:]))
            }
            #expect(error.description == "\(path): \(why)")
        }
        let answer = try AllocatorProcess.run(["check-config", "--config-file", folder.url.path()])
        #expect(answer.errors == "target-ledger: \(folder.url.path()): cannot be read: Is a directory\n")
        #expect(answer.status == 1)
    }

    // MARK: Secrets

    /// Members of a job, each with the secret in another place and a mistake on it or beside it.
    nonisolated static let secretPlaces = [
        "basic_auth: {username: u, password: [hunter2]}",
        "basic_auth: {username: u, password: {hunter2: x}}",
        "basic_auth: {username: u, password: hunter2, password_file: f}",
        "basic_auth: {username: u, passwort: hunter2}",
        "basic_auth: {username: u, password: hunter2}, bearer_token: hunter2",
        "basic_auth: hunter2",
        "authorization: {type: Basic, credentials: hunter2}",
        "authorization: {credentials: hunter2, credentials_file: f}",
        "authorization: [hunter2]",
        "bearer_token: [hunter2]",
        "bearer_token: hunter2, bearer_token_file: f",
        "bearer_token: hunter2, sample_limit: x",
        "oauth2: {client_id: c, client_secret: hunter2, client_secret_file: f, token_url: 'http://t'}",
        "oauth2: {client_id: c, client_secret: hunter2}",
        "oauth2: {client_id: c, client_secret: [hunter2], token_url: 'http://t'}",
        "tls_config: {key: hunter2}",
        "tls_config: {key: [hunter2]}",
        "proxy_url: 'http://u:hunter2@[proxy'",
        "proxy_url: 'http://u:hunter2@proxy', proxy_from_environment: true",
        "proxy_url: ['http://u:hunter2@proxy']",
        "proxy_url: 'http://proxy', proxy_connect_header: {A: hunter2}",
        "http_headers: {A: {secrets: hunter2}}",
        "http_headers: {A: {secrets: [hunter2], sample: x}}",
        "http_headers: {Authorization: {secrets: [hunter2]}}",
        "http_sd_configs: [{url: 'ftp://u:hunter2@h/sd'}]",
        "http_sd_configs: [{url: 'http://u:hunter2@[h/sd'}]",
        "http_sd_configs: [{url: ['http://u:hunter2@h/sd']}]",
        "http_sd_configs: [{url: 'http://u:hunter2@h:port/sd'}]",
        "http_sd_configs: [{url: 'http://u:hunter2@h/%zz'}]",
        "http_sd_configs: [{url: 'http://u:hunter2@'}]",
        "http_sd_configs: ['http://u:hunter2@h/sd']",
        "http_sd_configs: [{url: 'http://u:hunter2@h/sd', refresh_interval: 0s}]",
        "http_sd_configs: 'http://u:hunter2@h/sd'",
        "kubernetes_sd_configs: [{role: pod, bearer_token: hunter2}]",
        "basic_auth: {username: u, password: \"hunter2}",
        "basic_auth: {username: u, password: *hunter2}",
        "basic_auth: {username: u, password: !hunter2 x}",
        "basic_auth: {username: u, password: &hunter2 x, password: y}",
        "basic_auth: {username: u, password: hunter2\u{1}}",
        "basic_auth: {username: u, password: '${env:hunter2'}",
    ]

    /// The same for members of our section.
    nonisolated static let ourSecretPlaces = [
        "database_url: [postgresql://u:hunter2@h/d]", "database_url: {url: postgresql://u:hunter2@h/d}",
        "database_url: postgresql://u:hunter2@h/d, embedded: {data_directory: d}",
        "database_url: 'postgresql://u:hunter2@h/d', database_url: 'postgresql://u:hunter2@h/d'",
        "database_urll: postgresql://u:hunter2@h/d",
        "ring: postgresql://u:hunter2@h/d", "lease: {ttl: hunter2}", "lease: hunter2",
    ]

    @Test("No secret is in any message, wherever it stands", arguments: secretPlaces)
    func secrets(member: String) throws {
        let text =
            "config: {scrape_configs: [{job_name: j, \(member)}]}\n"
            + "ledger: {expand_environment: true, collectors: {static: [a]}}\n"
        try expectRefusalWithoutSecret(text)
    }

    @Test("No secret of our section is in any message", arguments: ourSecretPlaces)
    func ourSecrets(member: String) throws {
        try expectRefusalWithoutSecret(
            "config: {scrape_configs: [{job_name: j}]}\nledger: {collectors: {static: [a]}, \(member)}\n")
    }

    /// The mistake is told, as an error or as a warning, with its place and without the secret.
    private func expectRefusalWithoutSecret(_ text: String) throws {
        let folder = try BadInputFolder()
        let path = try folder.write("config.yaml", text)
        var told: String
        do {
            let configuration = try AllocatorConfiguration(
                ConfigurationSources(flags: [.configFile: path], environment: [:]))
            told = configuration.warnings.map(\.description).joined(separator: "\n")
        } catch {
            told = error.description
        }
        #expect(told.hasPrefix("\(path):"))
        #expect(!told.contains("hunter2"))
    }

    @Test("Neither check-config nor a database that cannot be named shows a password")
    func shownConfiguration() throws {
        let folder = try BadInputFolder()
        let path = try folder.write(
            "config.yaml",
            """
            config:
              scrape_configs:
                - {job_name: a, basic_auth: {username: u, password: hunter2}, bogus: 1}
                - {job_name: b, http_sd_configs: [{url: 'http://u:hunter2@h/sd', frequency: 3}]}
            ledger: {collectors: {static: [a]}, database_url: 'postgresql://u:hunter2@h:port/d'}

            """)
        for output in ["table", "json"] {
            let answer = try AllocatorProcess.run(["check-config", "--config-file", path, "--output", output])
            #expect(!answer.output.contains("hunter2") && !answer.errors.contains("hunter2"))
        }
        let bad = try folder.write(
            "bad.yaml",
            "config: {scrape_configs: [{job_name: a}]}\n"
                + "ledger: {collectors: {static: [a]}, database_url: 'postgresql://u:hunter2@h:port/d'}\n")
        for command in [["serve", "--listen-addr", "127.0.0.1:0"], ["migrate"], ["moves"]] {
            let answer = try AllocatorProcess.run(command + ["--config-file", bad])
            #expect(!answer.output.contains("hunter2") && !answer.errors.contains("hunter2"), "\(command)")
            #expect(answer.status == 3, "\(command): \(answer.errors)")
        }
    }

    @Test("check-config names the key that signs checkpoints, says when it cannot be used, and never shows it")
    func checkpointKey() throws {
        let folder = try BadInputFolder()
        let key = folder.url.appending(path: "log.key").path()
        let path = try folder.write(
            "config.yaml",
            "config: {scrape_configs: [{job_name: a}]}\n"
                + "ledger: {collectors: {static: [a]}, database_url: 'postgresql:///d', checkpoint_key_file: '\(key)'}\n"
        )
        func row() throws -> String {
            let answer = try AllocatorProcess.run(["check-config", "--config-file", path, "--output", "ndjson"])
            #expect(answer.status == 0 && !answer.output.contains("PRIVATE"), "\(answer.errors)")
            return String(
                try #require(answer.output.split(separator: "\n").first { $0.contains("checkpoint_key_file") }))
        }
        #expect(try row().contains("\(key): not usable: No such file"))
        #expect(try AllocatorProcess.run(["checkpoint", "--new-key", "example.com/ledger", key]).status == 0)
        #expect(try row().contains("\(key): readable, key example.com/ledger\""))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
        #expect(try row().contains("not usable: others can read or change it"))
        let other = try AllocatorProcess.run(["check-config", "--config-file", path, "--checkpoint-key-file", "/none"])
        #expect(other.output.contains("/none: not usable"))
    }
}

/// A folder that goes with the value.
final class BadInputFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "target-ledger-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// Writes a file and returns its path.
    func write(_ name: String, _ text: String) throws -> String {
        let file = url.appending(path: name)
        try Data(text.utf8).write(to: file)
        return file.path()
    }
}
