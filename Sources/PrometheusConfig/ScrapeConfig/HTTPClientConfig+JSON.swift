//
// HTTPClientConfig+JSON.swift: writes the HTTP client block as Prometheus does.
//
// The block's keys stand among those of the object that it belongs to, in alphabetical order, so each has a function of
// its own.
//

extension JSONWriter {
    mutating func authorization(_ authorization: HTTPClientConfig.Authorization?, _ secrets: SecretRendering) {
        guard let authorization else { return }
        key("authorization")
        object { writer in
            writer.member("credentials", ifNotEmpty: authorization.credentials, secrets)
            writer.member("credentials_file", ifNotEmpty: authorization.credentialsFile)
            writer.member("credentials_ref", ifNotEmpty: authorization.credentialsRef)
            writer.member("type", ifNotEmpty: authorization.type)
        }
    }

    mutating func basicAuth(_ basic: HTTPClientConfig.BasicAuth?, _ secrets: SecretRendering) {
        guard let basic else { return }
        key("basic_auth")
        object { writer in
            writer.member("password", ifNotEmpty: basic.password, secrets)
            writer.member("password_file", ifNotEmpty: basic.passwordFile)
            writer.member("password_ref", ifNotEmpty: basic.passwordRef)
            writer.member("username", ifNotEmpty: basic.username)
            writer.member("username_file", ifNotEmpty: basic.usernameFile)
            writer.member("username_ref", ifNotEmpty: basic.usernameRef)
        }
    }

    mutating func httpHeaders(_ headers: [String: HTTPClientConfig.Header]?, _ secrets: SecretRendering) {
        guard let headers else { return }
        key("http_headers")
        object { writer in
            for (name, header) in headers.sortedByKey {
                writer.key(name)
                writer.object { writer in
                    writer.member("files", ifNotEmpty: header.files)
                    writer.member("secrets", ifNotEmpty: header.secrets.map { $0.text(secrets) })
                    writer.member("values", ifNotEmpty: header.values)
                }
            }
        }
    }

    /// `no_proxy`, and nothing that sorts after `oauth2`.
    mutating func noProxy(_ proxy: ProxyConfig) { member("no_proxy", ifNotEmpty: proxy.noProxy) }

    /// The members of a proxy that sort after `oauth2` and `no_proxy`.
    mutating func proxy(_ proxy: ProxyConfig, _ secrets: SecretRendering) {
        if !proxy.connectHeaders.isEmpty {
            key("proxy_connect_header")
            object { writer in
                for (name, values) in proxy.connectHeaders.sortedByKey {
                    writer.key(name)
                    writer.strings(values.map { $0.text(secrets) })
                }
            }
        }
        member("proxy_from_environment", ifTrue: proxy.fromEnvironment)
        if let url = proxy.url { member("proxy_url", Self.redactedURL(url)) }
    }

    mutating func oauth2(_ oauth2: OAuth2?, _ secrets: SecretRendering) {
        guard let oauth2 else { return }
        key("oauth2")
        object { writer in
            writer.member("audience", ifNotEmpty: oauth2.audience)
            if !oauth2.claims.isEmpty {
                writer.key("claims")
                writer.value(.object(oauth2.claims))
            }
            writer.member("client_certificate_key", ifNotEmpty: oauth2.clientCertificateKey, secrets)
            writer.member("client_certificate_key_file", ifNotEmpty: oauth2.clientCertificateKeyFile)
            writer.member("client_certificate_key_id", ifNotEmpty: oauth2.clientCertificateKeyID)
            writer.member("client_certificate_key_ref", ifNotEmpty: oauth2.clientCertificateKeyRef)
            writer.member("client_id", ifNotEmpty: oauth2.clientID)
            writer.member("client_secret", ifNotEmpty: oauth2.clientSecret, secrets)
            writer.member("client_secret_file", ifNotEmpty: oauth2.clientSecretFile)
            writer.member("client_secret_ref", ifNotEmpty: oauth2.clientSecretRef)
            if !oauth2.endpointParams.isEmpty {
                writer.key("endpoint_params")
                writer.object(oauth2.endpointParams)
            }
            writer.member("grant_type", ifNotEmpty: oauth2.grantType)
            writer.member("iss", ifNotEmpty: oauth2.issuer)
            writer.noProxy(oauth2.proxy)
            writer.proxy(oauth2.proxy, secrets)
            writer.member("scopes", ifNotEmpty: oauth2.scopes)
            writer.member("signature_algorithm", ifNotEmpty: oauth2.signatureAlgorithm)
            writer.tlsConfig(oauth2.tls, secrets)
            writer.member("token_url", ifNotEmpty: oauth2.tokenURL)
        }
    }

    mutating func tlsConfig(_ tls: TLSConfig, _ secrets: SecretRendering) {
        guard !tls.isEmpty else { return }
        key("tls_config")
        object { writer in
            writer.member("ca", ifNotEmpty: tls.ca)
            writer.member("ca_file", ifNotEmpty: tls.caFile)
            writer.member("ca_ref", ifNotEmpty: tls.caRef)
            writer.member("cert", ifNotEmpty: tls.cert)
            writer.member("cert_file", ifNotEmpty: tls.certFile)
            writer.member("cert_ref", ifNotEmpty: tls.certRef)
            writer.member("insecure_skip_verify", tls.insecureSkipVerify)
            writer.member("key", ifNotEmpty: tls.key, secrets)
            writer.member("key_file", ifNotEmpty: tls.keyFile)
            writer.member("key_ref", ifNotEmpty: tls.keyRef)
            writer.member("max_version", ifNotEmpty: tls.maxVersion?.rawValue ?? "")
            writer.member("min_version", ifNotEmpty: tls.minVersion?.rawValue ?? "")
            writer.member("server_name", ifNotEmpty: tls.serverName)
        }
    }

    /// Prometheus masks a proxy's password in every rendering, also where secrets are shown.
    private static func redactedURL(_ url: Secret) -> String {
        // Checked when it was read; what is not a URL is then not shown either.
        (try? GoURL(parsing: url.unredacted).redacted) ?? Secret.redacted
    }
}
