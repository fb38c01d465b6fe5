//
// HTTPSDConfig.swift: discovery from a web server (`http_sd_configs`).
//

/// Where to ask for target groups.
package struct HTTPSDConfig: Sendable, Equatable {
    /// As written; may hold a password, which Prometheus does not treat as a secret.
    package var url = ""
    /// How often to ask; also how long one request may take. Zero (a null was written) means the default.
    package var refreshInterval = Self.defaultRefreshInterval
    package static let defaultRefreshInterval = PrometheusDuration.seconds(60)
    package var http = HTTPClientConfig()

    package init(
        url: String = "", refreshInterval: PrometheusDuration = defaultRefreshInterval,
        http: HTTPClientConfig = HTTPClientConfig()
    ) {
        self.url = url
        self.refreshInterval = refreshInterval
        self.http = http
    }

    private enum Key: String, YAMLKey {
        case url
        case refreshInterval = "refresh_interval"
    }

    init(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) {
        let problems = reader.problemCount
        var draft = HTTPClientConfig.Draft()
        try reader.fields(of: node, KeyWithHTTP<Key>.self) { (reader, key, value) throws(ConfigurationError) in
            switch key {
            case .own(.url): url = reader.string(value)
            case .own(.refreshInterval): refreshInterval = try reader.prometheusDuration(value)
            case .http(let key): try draft.read(key, value, &reader)
            }
        }
        guard reader.problemCount == problems else { return }
        do throws(ValueError) {
            try checkURL()
        } catch {
            throw reader.failure(error.description, at: node, key: Key.url.rawValue)
        }
        try reader.requirePositive(refreshInterval, node, key: Key.refreshInterval.rawValue)
        http = try draft.checked(reader, node)
    }

    private func checkURL() throws(ValueError) {
        if url.isEmpty { throw ValueError("URL is missing") }
        let parsed = try GoURL(parsing: url)
        guard parsed.scheme == "http" || parsed.scheme == "https" else {
            throw ValueError("URL scheme must be 'http' or 'https'")
        }
        if parsed.host.isEmpty { throw ValueError("host is missing in URL") }
    }

    func write(to writer: inout JSONWriter, _ secrets: SecretRendering) {
        writer.object { writer in
            writer.authorization(http.authorization, secrets)
            writer.basicAuth(http.basicAuth, secrets)
            writer.member("enable_http2", http.enableHTTP2)
            writer.member("follow_redirects", http.followRedirects)
            writer.httpHeaders(http.headers, secrets)
            writer.noProxy(http.proxy)
            writer.oauth2(http.oauth2, secrets)
            writer.proxy(http.proxy, secrets)
            if refreshInterval != .zero { writer.member("refresh_interval", refreshInterval.description) }
            writer.tlsConfig(http.tls, secrets)
            writer.member("url", url)
        }
    }
}

extension ScrapeConfig {
    /// The same with `xxxxx` for each password in a URL of `http_sd_configs`. Prometheus shows those; what is recorded
    /// for good must not hold them, and no collector needs them.
    package var withoutURLPasswords: ScrapeConfig {
        var copy = self
        for index in copy.httpSDConfigs.indices {
            // Checked when it was read.
            guard let url = try? GoURL(parsing: copy.httpSDConfigs[index].url), url.userInfo != nil else { continue }
            copy.httpSDConfigs[index].url = url.redacted
        }
        return copy
    }
}

/// The keys of a mapping that has the HTTP client block's keys among its own.
enum KeyWithHTTP<Own: YAMLKey>: YAMLKey {
    case own(Own)
    case http(HTTPClientConfig.Key)

    init?(rawValue: String) {
        if let own = Own(rawValue: rawValue) {
            self = .own(own)
        } else if let key = HTTPClientConfig.Key(rawValue: rawValue) {
            self = .http(key)
        } else {
            return nil
        }
    }

    var rawValue: String {
        switch self {
        case .own(let key): key.rawValue
        case .http(let key): key.rawValue
        }
    }

    static var allCases: [KeyWithHTTP] {
        Own.allCases.map { .own($0) } + HTTPClientConfig.Key.allCases.map { .http($0) }
    }
}
