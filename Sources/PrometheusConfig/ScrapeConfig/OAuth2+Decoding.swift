//
// OAuth2+Decoding.swift: reads OAuth 2.0, TLS and proxy settings and checks them, in Prometheus' order and words.
//

extension OAuth2 {
    private enum Key: String, YAMLKey {
        case clientID = "client_id"
        case clientSecret = "client_secret"
        case clientSecretFile = "client_secret_file"
        case clientSecretRef = "client_secret_ref"
        case clientCertificateKeyID = "client_certificate_key_id"
        case clientCertificateKey = "client_certificate_key"
        case clientCertificateKeyFile = "client_certificate_key_file"
        case clientCertificateKeyRef = "client_certificate_key_ref"
        case grantType = "grant_type"
        case signatureAlgorithm = "signature_algorithm"
        case issuer = "iss"
        case audience, claims, scopes
        case tokenURL = "token_url"
        case endpointParams = "endpoint_params"
        case tlsConfig = "tls_config"
        case proxyURL = "proxy_url"
        case noProxy = "no_proxy"
        case proxyFromEnvironment = "proxy_from_environment"
        case proxyConnectHeader = "proxy_connect_header"
    }

    init(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) {
        let problems = reader.problemCount
        try reader.fields(of: node, Key.self) { (reader, key, value) throws(ConfigurationError) in
            switch key {
            case .clientID: clientID = reader.string(value)
            case .clientSecret: clientSecret = reader.secret(value)
            case .clientSecretFile: clientSecretFile = reader.string(value)
            case .clientSecretRef: clientSecretRef = reader.string(value)
            case .clientCertificateKeyID: clientCertificateKeyID = reader.string(value)
            case .clientCertificateKey: clientCertificateKey = reader.secret(value)
            case .clientCertificateKeyFile: clientCertificateKeyFile = reader.string(value)
            case .clientCertificateKeyRef: clientCertificateKeyRef = reader.string(value)
            case .grantType: grantType = reader.string(value)
            case .signatureAlgorithm: signatureAlgorithm = reader.string(value)
            case .issuer: issuer = reader.string(value)
            case .audience: audience = reader.string(value)
            case .claims:
                claims = try reader.map(value) { (reader, item) throws(ConfigurationError) in
                    try reader.anyValue(item)
                }
            case .scopes: scopes = try reader.strings(value)
            case .tokenURL: tokenURL = reader.string(value)
            case .endpointParams: endpointParams = try reader.map(value) { (reader, item) in reader.string(item) }
            case .tlsConfig: tls = try TLSConfig(value, &reader)
            case .proxyURL: try proxy.read(.url, value, &reader)
            case .noProxy: try proxy.read(.noProxy, value, &reader)
            case .proxyFromEnvironment: try proxy.read(.fromEnvironment, value, &reader)
            case .proxyConnectHeader: try proxy.read(.connectHeader, value, &reader)
            }
        }
        guard reader.problemCount == problems else { return }
        do throws(ValueError) {
            try proxy.check()
        } catch {
            throw reader.failure(error.description, at: node)
        }
    }

    /// The checks that come after those of the whole block's other members.
    func check() throws(ValueError) {
        if clientID.isEmpty { throw ValueError("oauth2 client_id must be configured") }
        if tokenURL.isEmpty { throw ValueError("oauth2 token_url must be configured") }
        guard grantType == Self.jwtBearerGrant else {
            if moreThanOne(of: clientSecret.unredacted, clientSecretFile, clientSecretRef) {
                throw ValueError(
                    "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured "
                        + "using grant-type=client_credentials")
            }
            return
        }
        if moreThanOne(of: clientCertificateKey.unredacted, clientCertificateKeyFile, clientCertificateKeyRef) {
            throw ValueError(
                "at most one of oauth2 client_certificate_key, client_certificate_key_file & "
                    + "client_certificate_key_ref must be configured using grant-type=\(Self.jwtBearerGrant)")
        }
        // An algorithm left out is RS256.
        if !["", "RS256", "RS384", "RS512"].contains(signatureAlgorithm) {
            throw ValueError("valid signature algorithms are RS256, RS384 and RS512")
        }
    }
}

extension TLSConfig {
    private enum Key: String, YAMLKey {
        case ca, cert, key
        case caFile = "ca_file"
        case caRef = "ca_ref"
        case certFile = "cert_file"
        case certRef = "cert_ref"
        case keyFile = "key_file"
        case keyRef = "key_ref"
        case serverName = "server_name"
        case insecureSkipVerify = "insecure_skip_verify"
        case minVersion = "min_version"
        case maxVersion = "max_version"
    }

    init(_ node: YAMLNode, _ reader: inout YAMLReader) throws(ConfigurationError) {
        guard !node.isNull else { return }
        let problems = reader.problemCount
        try reader.fields(of: node, Key.self) { (reader, key, value) throws(ConfigurationError) in
            switch key {
            case .ca: ca = reader.string(value)
            case .cert: cert = reader.string(value)
            case .key: self.key = reader.secret(value)
            case .caFile: caFile = reader.string(value)
            case .caRef: caRef = reader.string(value)
            case .certFile: certFile = reader.string(value)
            case .certRef: certRef = reader.string(value)
            case .keyFile: keyFile = reader.string(value)
            case .keyRef: keyRef = reader.string(value)
            case .serverName: serverName = reader.string(value)
            case .insecureSkipVerify: insecureSkipVerify = reader.bool(value)
            case .minVersion: minVersion = try Self.version(value, &reader)
            case .maxVersion: maxVersion = try Self.version(value, &reader)
            }
        }
        guard reader.problemCount == problems else { return }
        do throws(ValueError) {
            try check()
        } catch {
            throw reader.failure(error.description, at: node)
        }
    }

    private static func version(
        _ node: YAMLNode, _ reader: inout YAMLReader
    ) throws(ConfigurationError) -> Version? {
        try reader.parsed(node, zero: nil) { (text) throws(ValueError) in
            guard let version = Version(rawValue: text) else { throw ValueError("unknown TLS version: \(text)") }
            return version
        }
    }

    private func check() throws(ValueError) {
        if moreThanOne(of: ca, caFile, caRef) {
            throw ValueError("at most one of ca, ca_file & ca_ref must be configured")
        }
        if moreThanOne(of: cert, certFile, certRef) {
            throw ValueError("at most one of cert, cert_file & cert_ref must be configured")
        }
        if moreThanOne(of: key.unredacted, keyFile, keyRef) {
            throw ValueError("at most one of key and key_file must be configured")
        }
        let hasCertificate = !(cert.isEmpty && certFile.isEmpty && certRef.isEmpty)
        let hasKey = !(key.isEmpty && keyFile.isEmpty && keyRef.isEmpty)
        if hasCertificate, !hasKey {
            throw ValueError(
                "exactly one of key or key_file must be configured when a client certificate is configured")
        }
        if hasKey, !hasCertificate {
            throw ValueError("exactly one of cert or cert_file must be configured when a client key is configured")
        }
    }
}

extension ProxyConfig {
    /// Its four members, which stand among the keys of what they belong to.
    enum Member { case url, noProxy, fromEnvironment, connectHeader }

    mutating func read(
        _ member: Member, _ value: YAMLNode, _ reader: inout YAMLReader
    ) throws(ConfigurationError) {
        switch member {
        case .url:
            guard !value.isNull else {
                url = nil
                return
            }
            let text = reader.secret(value)
            do throws(ValueError) {
                _ = try GoURL(parsing: text.unredacted)
            } catch {
                throw reader.failure(error.description, at: value)
            }
            url = text
        case .noProxy: noProxy = reader.string(value)
        case .fromEnvironment: fromEnvironment = reader.bool(value)
        case .connectHeader:
            connectHeaders = try reader.map(value) { (reader, values) throws(ConfigurationError) in
                try reader.list(values) { (reader, item) in reader.secret(item) }
            }
        }
    }

    func check() throws(ValueError) {
        let hasURL = !(url?.isEmpty ?? true)
        if !connectHeaders.isEmpty, !hasURL, !fromEnvironment {
            throw ValueError(
                "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured")
        }
        if fromEnvironment, hasURL {
            throw ValueError("if proxy_from_environment is configured, proxy_url must not be configured")
        }
        if fromEnvironment, !noProxy.isEmpty {
            throw ValueError("if proxy_from_environment is configured, no_proxy must not be configured")
        }
        if !hasURL, !noProxy.isEmpty {
            throw ValueError("if no_proxy is configured, proxy_url must also be configured")
        }
    }
}
