//
// HTTPClientConfig+Request.swift: turns the HTTP client block of a configuration into a request.
//
// Files that hold secrets are read for every request and trimmed, so that a rotated one is used at once
// (spec/prometheus-scrape-config.md 9).
//

import HTTPTransport
import PrometheusConfig

/// Why a request cannot be made from its configuration. Holds no secret.
enum HTTPConfigurationError: Error, Equatable, CustomStringConvertible {
    case file(FileDiscoveryError)
    case notText(path: String)
    case secretReference(String)
    case unsupported(String)
    case tlsVersions

    var description: String {
        switch self {
        case .file(let error): "\(error)"
        case .notText(let path): "\(path): not UTF-8"
        case .secretReference(let key): "\(key): cannot use secret ref without manager"
        case .unsupported(let key): "\(key) is not supported yet for http_sd_configs"
        case .tlsVersions: "tls_config: max_version is below min_version"
        }
    }
}

extension HTTPClientConfig {
    /// Why no request can be made of this block, whatever its files hold. Never ignored: a request without its token
    /// could be answered with somebody else's targets.
    var refusal: HTTPConfigurationError? {
        if oauth2 != nil { return .unsupported("oauth2") }
        let references = [
            ("basic_auth.username_ref", basicAuth?.usernameRef), ("basic_auth.password_ref", basicAuth?.passwordRef),
            ("authorization.credentials_ref", authorization?.credentialsRef), ("tls_config.ca_ref", tls.caRef),
            ("tls_config.cert_ref", tls.certRef), ("tls_config.key_ref", tls.keyRef),
        ]
        for (key, reference) in references where reference?.isEmpty == false { return .secretReference(key) }
        if let minimum = tls.minVersion?.version, let maximum = tls.maxVersion?.version, maximum < minimum {
            return .tlsVersions
        }
        return nil
    }

    /// A `GET` with everything this block says. Blocks while it reads files.
    func request(url: String) throws(HTTPConfigurationError) -> HTTPRequest {
        if let refusal { throw refusal }
        var request = HTTPRequest(url: url, followsRedirects: followRedirects, offersHTTP2: enableHTTP2)
        request.authentication = try authentication()
        request.tls = tls.options
        request.proxy = proxy.httpProxy
        for (name, header) in (headers ?? [:]).sorted(by: { $0.key < $1.key }) {
            for value in header.values { request.fields.append(.init(name, value)) }
            for secret in header.secrets { request.fields.append(.init(name, secret.unredacted, isSensitive: true)) }
            for file in header.files {
                request.fields.append(.init(name, try secretText(file), isSensitive: true))
            }
        }
        return request
    }

    private func authentication() throws(HTTPConfigurationError) -> HTTPAuthentication {
        if let basic = basicAuth {
            return .basic(
                user: basic.usernameFile.isEmpty ? basic.username : try secretText(basic.usernameFile),
                password: basic.passwordFile.isEmpty ? basic.password.unredacted : try secretText(basic.passwordFile))
        }
        guard let authorization else { return .none }
        let file = authorization.credentialsFile
        let credentials = file.isEmpty ? authorization.credentials.unredacted : try secretText(file)
        return .credentials(scheme: authorization.type, credentials)
    }
}

extension TLSConfig {
    fileprivate var options: TLSOptions {
        TLSOptions(
            authorities: Self.source(ca, caFile), certificate: Self.source(cert, certFile),
            key: Self.source(key.unredacted, keyFile), serverName: serverName.isEmpty ? nil : serverName,
            isInsecure: insecureSkipVerify, minimum: minVersion?.version, maximum: maxVersion?.version)
    }

    private static func source(_ text: String, _ file: String) -> PEMSource? {
        if !text.isEmpty { return .text(Array(text.utf8)) }
        return file.isEmpty ? nil : .file(file)
    }
}

extension TLSConfig.Version {
    fileprivate var version: TLSVersion {
        switch self {
        case .tls10: .tls10
        case .tls11: .tls11
        case .tls12: .tls12
        case .tls13: .tls13
        }
    }
}

extension ProxyConfig {
    fileprivate var httpProxy: HTTPProxy {
        var fields = HTTPFields()
        for (name, values) in connectHeaders.sorted(by: { $0.key < $1.key }) {
            for value in values { fields.append(.init(name, value.unredacted, isSensitive: true)) }
        }
        if fromEnvironment { return .environment(connectFields: fields) }
        guard let url = url?.unredacted, !url.isEmpty else { return .none }
        return .url(url, exceptions: noProxy, connectFields: fields)
    }
}

/// A secret is a token or a password, not a document.
private let secretBytesMax = 64 * 1024

/// The text of a file that holds a secret, without white space around it.
private func secretText(_ path: String) throws(HTTPConfigurationError) -> String {
    let text: String?
    do throws(FileDiscoveryError) {
        text = try FileStatus.withBytes(of: path, bytesMax: secretBytesMax) { (bytes) throws(FileDiscoveryError) in
            String(validating: bytes, as: UTF8.self)
        }.0
    } catch {
        throw .file(error)
    }
    guard let text else { throw .notText(path: path) }
    let trimmed = text.drop(while: \.isWhitespace)
    return String(
        trimmed.prefix(
            upTo: trimmed.lastIndex { !$0.isWhitespace }.map { trimmed.index(after: $0) } ?? trimmed.startIndex))
}
