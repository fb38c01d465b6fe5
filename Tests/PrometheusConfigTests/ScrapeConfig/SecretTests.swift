import Testing

@testable import PrometheusConfig

/// Goal: a secret is never in a message, a warning or a printed value.
///
/// Method: `hunter2` stands wherever a secret can stand, rightly and wrongly; it must not come out.
@Suite struct SecretTests {
    private static let secret = "hunter2"

    @Test(
        "Not in an error",
        arguments: [
            "basic_auth: hunter2", "basic_auth: {password: [hunter2]}", "basic_auth: {password: {a: hunter2}}",
            "basic_auth: {password: hunter2, password_file: f}", "bearer_token: [hunter2]", "authorization: hunter2",
            "authorization: {type: Basic, credentials: hunter2}", "bearer_token: *hunter2", "bearer_token: !hunter2 x",
            "oauth2: {client_id: c, client_secret: hunter2}", "tls_config: {key: hunter2}",
            "http_headers: {Authorization: {secrets: [hunter2]}}", "http_headers: {a: {secrets: hunter2}}",
            "proxy_connect_header: {a: [hunter2]}", "proxy_connect_header: {a: hunter2}",
            "proxy_url: \"http://u:hunter2@[::1\"", "proxy_url: \"http://hunter2@h:x\"",
            "proxy_url: \"http://u:hunter2/@h\"",
            "proxy_url: \"http://u:hunter2%zz@h/%zz\"",
            "http_sd_configs: [{url: \"ftp://u:hunter2@h\"}]",
            "http_sd_configs: [{url: \"http://h:x/?token=hunter2\"}]",
            "bearer_token: \"hunter2", "bearer_token: 'hunter2' x",
        ])
    func errors(line: String) throws {
        let yaml = "scrape_configs:\n- job_name: j\n  \(line)\n"
        let error = try #require(throws: ConfigurationError.self) {
            try PrometheusConfiguration.decode(yaml: yaml, file: "f")
        }
        #expect(!"\(error)".contains(Self.secret))
        var dumped = ""
        dump(error, to: &dumped)
        #expect(!dumped.contains(Self.secret))
    }

    @Test("Not in a warning: a password that YAML reads as a number")
    func warnings() throws {
        let yaml = "scrape_configs: [{job_name: j, basic_auth: {username: u, password: 0x1F}}]"
        let node = try YAMLNode(parsing: yaml, file: "f")
        let configuration = try PrometheusConfiguration.decode(node, file: "f", path: "config")
        let warning = try #require(configuration.warnings.first)
        #expect(
            warning.description
                == "f:1:68: config.scrape_configs[0].basic_auth.password: "
                + "this unquoted text is read as a number or a truth value; put quotes around it")
        #expect(configuration.scrapeConfigs[0].http.basicAuth?.password.unredacted == "31")
    }

    @Test("Not when printed, dumped or reflected")
    func printing() {
        let secret = Secret(Self.secret)
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), dumped, "\([secret])", "\(Optional(secret) as Any)"] {
            #expect(!text.contains(Self.secret))
        }
        #expect("\(secret)" == "<secret>")
    }

    @Test("Not in the redacted answer, wherever a secret may stand; all of them in the clear one")
    func rendering() throws {
        let block = """
            basic_auth: {username: u, password: hunter2-1}, proxy_url: "u:hunter2@p", proxy_connect_header: {h: [hunter2-2]},
            tls_config: {cert: c, key: hunter2-3}, http_headers: {x: {secrets: [hunter2-4]}}
            """
        let yaml = """
            scrape_configs:
            - {job_name: a, \(block), http_sd_configs: [{url: "http://x", \(block)}]}
            - {job_name: b, bearer_token: hunter2-5}
            - {job_name: c, oauth2: {client_id: c, token_url: t, client_secret: hunter2-6, client_certificate_key: hunter2-7}}
            """
        let configuration = try PrometheusConfiguration.decode(yaml: yaml, file: "f")
        let redacted = String(decoding: configuration.scrapeConfigsJSON(.redacted), as: UTF8.self)
        let clear = String(decoding: configuration.scrapeConfigsJSON(.clear), as: UTF8.self)
        #expect(!redacted.contains(Self.secret))
        for number in 1...7 { #expect(clear.contains("\"hunter2-\(number)\"")) }
    }
}
