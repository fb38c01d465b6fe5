//
// HTTPClientConfig+Decoding.swift: reads the HTTP client block and checks it, in Prometheus' order and words.
//

extension HTTPClientConfig {
    enum Key: String, YAMLKey {
        case basicAuth = "basic_auth"
        case authorization
        case oauth2
        case bearerToken = "bearer_token"
        case bearerTokenFile = "bearer_token_file"
        case tlsConfig = "tls_config"
        case followRedirects = "follow_redirects"
        case enableHTTP2 = "enable_http2"
        case proxyURL = "proxy_url"
        case noProxy = "no_proxy"
        case proxyFromEnvironment = "proxy_from_environment"
        case proxyConnectHeader = "proxy_connect_header"
        case httpHeaders = "http_headers"
    }

    /// The block as it is read: with the two keys that do not outlive the checks.
    struct Draft {
        private var config = HTTPClientConfig()
        private var bearerToken = Secret("")
        private var bearerTokenFile = ""

        mutating func read(
            _ key: Key, _ value: YAMLNode, _ reader: inout YAMLReader
        ) throws(ConfigurationError) {
            switch key {
            case .basicAuth: config.basicAuth = value.isNull ? nil : try BasicAuth(value, &reader)
            case .authorization: config.authorization = value.isNull ? nil : try Authorization(value, &reader)
            case .oauth2: config.oauth2 = value.isNull ? nil : try OAuth2(value, &reader)
            case .bearerToken: bearerToken = reader.secret(value)
            case .bearerTokenFile: bearerTokenFile = reader.string(value)
            case .tlsConfig: config.tls = try TLSConfig(value, &reader)
            case .followRedirects: config.followRedirects = reader.bool(value)
            case .enableHTTP2: config.enableHTTP2 = reader.bool(value)
            case .proxyURL: try config.proxy.read(.url, value, &reader)
            case .noProxy: try config.proxy.read(.noProxy, value, &reader)
            case .proxyFromEnvironment: try config.proxy.read(.fromEnvironment, value, &reader)
            case .proxyConnectHeader: try config.proxy.read(.connectHeader, value, &reader)
            case .httpHeaders:
                config.headers =
                    value.isNull
                    ? nil
                    : try reader.map(value) { (reader, header) throws(ConfigurationError) in try Header(header, &reader)
                    }
            }
        }

        /// - Parameter node: The mapping that the block is part of.
        /// - Throws: ``ConfigurationError`` for the first rule broken.
        func checked(_ reader: YAMLReader, _ node: YAMLNode) throws(ConfigurationError) -> HTTPClientConfig {
            do throws(ValueError) {
                return try checked()
            } catch {
                throw reader.failure(error.description, at: node)
            }
        }

        private func checked() throws(ValueError) -> HTTPClientConfig {
            var config = config
            let hasToken = !bearerToken.isEmpty
            let hasTokenFile = !bearerTokenFile.isEmpty
            if hasToken, hasTokenFile {
                throw ValueError("at most one of bearer_token & bearer_token_file must be configured")
            }
            if config.basicAuth != nil || config.oauth2 != nil, hasToken || hasTokenFile {
                throw ValueError(
                    "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured")
            }
            try config.basicAuth?.check()
            if config.authorization != nil {
                if hasToken || hasTokenFile {
                    throw ValueError("authorization is not compatible with bearer_token & bearer_token_file")
                }
                try config.authorization?.check()
                if config.basicAuth != nil || config.oauth2 != nil {
                    throw ValueError("at most one of basic_auth, oauth2 & authorization must be configured")
                }
            } else if hasToken || hasTokenFile {
                var authorization = Authorization()
                authorization.credentials = bearerToken
                authorization.credentialsFile = bearerTokenFile
                config.authorization = authorization
            }
            if let oauth2 = config.oauth2 {
                if config.basicAuth != nil {
                    throw ValueError("at most one of basic_auth, oauth2 & authorization must be configured")
                }
                try oauth2.check()
            }
            try config.proxy.check()
            try config.checkHeaders()
            return config
        }
    }

    /// Names that a configuration may not set, in canonical form.
    private static let reservedHeaders: Set<String> = [
        "Authorization", "Host", "Content-Encoding", "Content-Length", "Content-Type", "User-Agent", "Connection",
        "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Www-Authenticate", "Accept-Encoding",
        "X-Prometheus-Remote-Write-Version", "X-Prometheus-Remote-Read-Version", "X-Prometheus-Scrape-Timeout-Seconds",
        "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256",
    ]

    private func checkHeaders() throws(ValueError) {
        for name in (headers ?? [:]).keys.sorted() {
            let canonical = name.split(separator: "-", omittingEmptySubsequences: false)
                .map { $0.prefix(1).uppercased() + $0.dropFirst().lowercased() }.joined(separator: "-")
            if Self.reservedHeaders.contains(canonical) {
                throw ValueError("setting header \(canonical.goQuoted) is not allowed")
            }
        }
    }
}

extension HTTPClientConfig.BasicAuth {
    private enum Key: String, YAMLKey {
        case username
        case usernameFile = "username_file"
        case usernameRef = "username_ref"
        case password
        case passwordFile = "password_file"
        case passwordRef = "password_ref"
    }

    init(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) {
        try reader.fields(of: node, Key.self) { (reader, key, value) throws(ConfigurationError) in
            switch key {
            case .username: username = reader.string(value)
            case .usernameFile: usernameFile = reader.string(value)
            case .usernameRef: usernameRef = reader.string(value)
            case .password: password = reader.secret(value)
            case .passwordFile: passwordFile = reader.string(value)
            case .passwordRef: passwordRef = reader.string(value)
            }
        }
    }

    fileprivate func check() throws(ValueError) {
        if moreThanOne(of: username, usernameFile, usernameRef) {
            throw ValueError("at most one of basic_auth username, username_file & username_ref must be configured")
        }
        if moreThanOne(of: password.unredacted, passwordFile, passwordRef) {
            throw ValueError("at most one of basic_auth password, password_file & password_ref must be configured")
        }
    }
}

extension HTTPClientConfig.Authorization {
    private enum Key: String, YAMLKey {
        case type, credentials
        case credentialsFile = "credentials_file"
        case credentialsRef = "credentials_ref"
    }

    init(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) {
        try reader.fields(of: node, Key.self) { (reader, key, value) throws(ConfigurationError) in
            switch key {
            case .type: type = reader.string(value)
            case .credentials: credentials = reader.secret(value)
            case .credentialsFile: credentialsFile = reader.string(value)
            case .credentialsRef: credentialsRef = reader.string(value)
            }
        }
    }

    fileprivate mutating func check() throws(ValueError) {
        if moreThanOne(of: credentials.unredacted, credentialsFile, credentialsRef) {
            throw ValueError("at most one of authorization credentials & credentials_file must be configured")
        }
        let trimmed = type.drop(while: \.isWhitespace)
        type = String(trimmed.prefix(trimmed.count - trimmed.reversed().prefix(while: \.isWhitespace).count))
        if type.isEmpty { type = "Bearer" }
        if type.lowercased() == "basic" {
            throw ValueError("authorization type cannot be set to \"basic\", use \"basic_auth\" instead")
        }
    }
}

extension HTTPClientConfig.Header {
    private enum Key: String, YAMLKey { case values, secrets, files }

    init(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) {
        try reader.fields(of: node, Key.self) { (reader, key, value) throws(ConfigurationError) in
            switch key {
            case .values: values = try reader.strings(value)
            case .secrets: secrets = try reader.list(value) { (reader, item) in reader.secret(item) }
            case .files: files = try reader.strings(value)
            }
        }
    }
}

/// Whether two or more of the texts are written.
func moreThanOne(of texts: String...) -> Bool { texts.count { !$0.isEmpty } > 1 }
