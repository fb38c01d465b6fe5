//
// HTTPClientConfig.swift: how to connect and authenticate; the keys that jobs and discovery mechanisms have in common.
//
// Prometheus v3.14 (prometheus/common v0.70, config.HTTPClientConfig). Reading and checks: HTTPClientConfig+Decoding.swift;
// output: HTTPClientConfig+JSON.swift.
//

/// The HTTP client block, checked and with its defaults.
package struct HTTPClientConfig: Sendable, Equatable {
    package var basicAuth: BasicAuth?
    /// Also what `bearer_token` and `bearer_token_file` are turned into.
    package var authorization: Authorization?
    package var oauth2: OAuth2?
    package var tls = TLSConfig()
    package var followRedirects = true
    package var enableHTTP2 = true
    package var proxy = ProxyConfig()
    /// By the name as written; nil: not written, which an empty set is not.
    package var headers: [String: Header]?

    package init() {}

    package struct BasicAuth: Sendable, Equatable {
        package var username = ""
        package var usernameFile = ""
        package var usernameRef = ""
        package var password = Secret("")
        package var passwordFile = ""
        package var passwordRef = ""

        package init() {}
    }

    package struct Authorization: Sendable, Equatable {
        /// Never empty, never `basic`.
        package var type = "Bearer"
        package var credentials = Secret("")
        package var credentialsFile = ""
        package var credentialsRef = ""

        package init() {}
    }

    package struct Header: Sendable, Equatable {
        package var values: [String] = []
        package var secrets: [Secret] = []
        package var files: [String] = []

        package init() {}
    }
}

/// Which proxy to use; all empty: none.
package struct ProxyConfig: Sendable, Equatable {
    /// With its password. Nil: not written; an empty text was written and means none.
    package var url: Secret?
    package var noProxy = ""
    package var fromEnvironment = false
    package var connectHeaders: [String: [Secret]] = [:]

    package init() {}
}

/// TLS towards a server.
package struct TLSConfig: Sendable, Equatable {
    /// The spelling is that of the file: `TLS12`.
    package enum Version: String, Sendable, CaseIterable {
        case tls10 = "TLS10", tls11 = "TLS11", tls12 = "TLS12", tls13 = "TLS13"
    }

    package var ca = ""
    package var caFile = ""
    package var caRef = ""
    package var cert = ""
    package var certFile = ""
    package var certRef = ""
    package var key = Secret("")
    package var keyFile = ""
    package var keyRef = ""
    package var serverName = ""
    package var insecureSkipVerify = false
    package var minVersion: Version?
    package var maxVersion: Version?

    package init() {}

    /// Whether nothing is set, in which case the block is not written.
    package var isEmpty: Bool { self == TLSConfig() }
}

/// Client credentials, or a signed assertion, exchanged for a token.
package struct OAuth2: Sendable, Equatable {
    package var clientID = ""
    package var clientSecret = Secret("")
    package var clientSecretFile = ""
    package var clientSecretRef = ""
    package var clientCertificateKeyID = ""
    package var clientCertificateKey = Secret("")
    package var clientCertificateKeyFile = ""
    package var clientCertificateKeyRef = ""
    package var grantType = ""
    package var signatureAlgorithm = ""
    package var issuer = ""
    package var audience = ""
    package var claims: [String: JSONValue] = [:]
    package var scopes: [String] = []
    package var tokenURL = ""
    package var endpointParams: [String: String] = [:]
    package var tls = TLSConfig()
    package var proxy = ProxyConfig()

    package init() {}

    package static let jwtBearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
}
