//
// EasyHandle.swift: one libcurl handle with a request's options. Made, used and freed on the loop's thread.
//

import CCurlShim
import Glibc

/// A configured `CURL`, and what must outlive it.
final class EasyHandle {
    typealias Failure = HTTPTransportError.Cause

    let handle: UnsafeMutableRawPointer
    let transfer: Transfer
    private var lists: [UnsafeMutablePointer<curl_slist>] = []
    /// libcurl writes what went wrong here.
    private let message: UnsafeMutableBufferPointer<CChar>

    init(_ transfer: Transfer, userAgent: String) throws(Failure) {
        guard let handle = curl_easy_init() else { throw .failed(code: Int(CURLE_FAILED_INIT.rawValue), "no handle") }
        self.handle = handle
        self.transfer = transfer
        message = .allocate(capacity: Int(CURL_ERROR_SIZE))
        message.initialize(repeating: 0)
        try setBasics(userAgent)
        try setMethod()
        try setFields()
        try setTLS(transfer.request.tls)
        try setProxy(transfer.request.proxy)
    }

    deinit {
        curl_easy_cleanup(handle)
        for list in lists { curl_slist_free_all(list) }
        message.deallocate()
    }

    // MARK: Options

    private func setBasics(_ userAgent: String) throws(Failure) {
        set(CURLOPT_ERRORBUFFER, pointer: message.baseAddress)
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        // Redirects are followed by HTTPClient, which knows what may be repeated where.
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_TCP_KEEPIDLE, 30)
        set(CURLOPT_TCP_KEEPINTVL, 10)
        set(
            CURLOPT_HTTP_VERSION,
            transfer.request.offersHTTP2 ? Int(CURL_HTTP_VERSION_2TLS) : Int(CURL_HTTP_VERSION_1_1))
        set(CURLOPT_PIPEWAIT, 1)
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_URL, transfer.url.text)
        try set(CURLOPT_USERAGENT, userAgent)

        let context = Unmanaged.passUnretained(transfer).toOpaque()
        set(CURLOPT_PRIVATE, pointer: context)
        _ = curl_shim_setopt_header(handle, Self.takeHeader, context)
        _ = curl_shim_setopt_write(handle, Self.takeBody, context)

        switch transfer.delivery {
        case .whole:
            let left = max(.milliseconds(1), ContinuousClock.now.duration(to: transfer.deadline))
            set(CURLOPT_TIMEOUT_MS, Int(min(left / .milliseconds(1), 1e9)))
        case .stream:
            guard let limit = transfer.stallLimit else { return }
            set(CURLOPT_LOW_SPEED_LIMIT, 1)
            set(CURLOPT_LOW_SPEED_TIME, max(1, Int(limit.components.seconds)))
        }
    }

    private func setMethod() throws(Failure) {
        let request = transfer.request
        if request.method == "HEAD" {
            set(CURLOPT_NOBODY, 1)
        } else if request.method != "GET" || request.body != nil {
            try set(CURLOPT_CUSTOMREQUEST, request.method)
        }
        guard let body = request.body else { return }
        _ = curl_shim_setopt_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
        body.withUnsafeBytes { bytes in
            // libcurl copies; it does not write, though its type says it may.
            _ = curl_shim_setopt_pointer(
                handle, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        }
    }

    private func setFields() throws(Failure) {
        let request = transfer.request
        var lines: [String] = []
        if let value = request.authentication.fieldValue, request.fields["Authorization"] == nil {
            lines.append(try Self.line(.init("Authorization", value)))
        }
        for field in request.fields.fields { lines.append(try Self.line(field)) }
        if let name = request.tls.serverName, name.lowercased() != transfer.url.host.lowercased() {
            // The TLS name is asked for by asking for it; the connection and the Host field stay the URL's.
            if request.fields["Host"] == nil { lines.append("Host: \(authority)") }
        }
        // An empty name removes what libcurl would add by itself.
        lines.append("Expect:")
        set(CURLOPT_HTTPHEADER, list: lines)
    }

    private var authority: String {
        let url = transfer.url
        let host = url.host.contains(":") ? "[\(url.host)]" : url.host
        let usual = url.scheme == "https" ? 443 : 80
        return url.port == usual ? host : "\(host):\(url.port)"
    }

    private static func line(_ field: HTTPFields.Field) throws(Failure) -> String {
        let isToken = !field.name.isEmpty && field.name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3A }
        guard isToken else { throw .invalidRequest("\"\(field.name)\" is not a field name") }
        guard !field.value.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D || $0 == 0 }) else {
            throw .invalidRequest("the value of \(field.name) has a line break")
        }
        // libcurl leaves a field without a value out, unless it ends with a semicolon.
        return field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)"
    }

    private func setTLS(_ tls: TLSOptions) throws(Failure) {
        set(CURLOPT_SSL_VERIFYPEER, tls.isInsecure ? 0 : 1)
        set(CURLOPT_SSL_VERIFYHOST, tls.isInsecure ? 0 : 2)
        try set(tls.authorities, file: CURLOPT_CAINFO, blob: CURLOPT_CAINFO_BLOB)
        try set(tls.certificate, file: CURLOPT_SSLCERT, blob: CURLOPT_SSLCERT_BLOB)
        try set(tls.key, file: CURLOPT_SSLKEY, blob: CURLOPT_SSLKEY_BLOB)
        if tls.minimum != nil || tls.maximum != nil {
            let minimum = [
                CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_3,
            ][(tls.minimum ?? .tls12).rawValue]
            let maximum = tls.maximum.map {
                [
                    CURL_SSLVERSION_MAX_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1, CURL_SSLVERSION_MAX_TLSv1_2,
                    CURL_SSLVERSION_MAX_TLSv1_3,
                ][$0.rawValue]
            }
            set(CURLOPT_SSLVERSION, Int(minimum) | Int(maximum ?? 0))
        }
        if let name = tls.serverName, transfer.url.scheme == "https" { try setServerName(name) }
    }

    /// libcurl checks and asks for the URL's host, so the URL gets the name and the connection the URL's host.
    private func setServerName(_ name: String) throws(Failure) {
        let url = transfer.url
        guard name.lowercased() != url.host.lowercased() else { return }
        guard let renamed = url.renamed(host: name) else { throw .invalidRequest("\"\(name)\" is not a server name") }
        try set(CURLOPT_URL, renamed)
        let host = url.host.contains(":") ? "[\(url.host)]" : url.host
        set(CURLOPT_CONNECT_TO, list: ["\(name):\(url.port):\(host):\(url.port)"])
    }

    private func setProxy(_ proxy: HTTPProxy) throws(Failure) {
        // Empty: none, and none from the environment either.
        var address = ""
        var exceptions = ""
        var connectFields = HTTPFields()
        switch proxy {
        case .none: break
        case .url(let url, let without, let fields): (address, exceptions, connectFields) = (url, without, fields)
        case .environment(let fields):
            address = Self.environment("\(transfer.url.scheme)_proxy") ?? ""
            exceptions = Self.environment("no_proxy") ?? ""
            connectFields = fields
        }
        try set(CURLOPT_PROXY, address)
        try set(CURLOPT_NOPROXY, exceptions)
        guard !address.isEmpty, !connectFields.fields.isEmpty else { return }
        set(CURLOPT_HEADEROPT, Int(CURLHEADER_SEPARATE))
        var lines: [String] = []
        for field in connectFields.fields { lines.append(try Self.line(field)) }
        set(CURLOPT_PROXYHEADER, list: lines)
    }

    private static func environment(_ name: String) -> String? {
        for name in [name, name.uppercased()] {
            if let value = getenv(name), value.pointee != 0 { return String(cString: value) }
        }
        return nil
    }

    // MARK: Setting

    /// Fails for an option that this libcurl was built without; then its default holds.
    private func set(_ option: CURLoption, _ value: Int) { _ = curl_shim_setopt_long(handle, option, value) }

    private func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer?) {
        _ = curl_shim_setopt_pointer(handle, option, pointer)
    }

    private func set(_ option: CURLoption, _ text: String) throws(Failure) {
        guard !text.utf8.contains(0) else { throw .invalidRequest("a zero byte in an option") }
        let code = curl_shim_setopt_string(handle, option, text)
        guard code == CURLE_OK else { throw Self.cause(code, "", transfer) }
    }

    private func set(_ source: PEMSource?, file: CURLoption, blob: CURLoption) throws(Failure) {
        switch source {
        case nil: return
        case .file(let path):
            guard access(path, R_OK) == 0 else { throw .insecure("\(path): \(String(cString: strerror(errno)))") }
            try set(file, path)
        case .text(let bytes):
            let code = bytes.withUnsafeBytes { curl_shim_setopt_blob(handle, blob, $0.baseAddress, $0.count) }
            guard code == CURLE_OK else { throw Self.cause(code, "", transfer) }
        }
    }

    private func set(_ option: CURLoption, list lines: [String]) {
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines { list = curl_slist_append(list, line) }
        guard let list else { return }
        lists.append(list)
        _ = curl_shim_setopt_list(handle, option, list)
    }

    // MARK: Callbacks, on the loop's thread

    private static let takeHeader: curl_shim_data_callback = { bytes, size, count, context in
        guard let context else { return curl_shim_write_error() }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return transfer.take(headerLine: line) ? line.count : curl_shim_write_error()
    }

    private static let takeBody: curl_shim_data_callback = { bytes, size, count, context in
        guard let context else { return curl_shim_write_error() }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        let chunk = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return switch transfer.take(bytes: chunk) {
        case .taken: chunk.count
        case .paused: curl_shim_write_pause()
        case .refused: curl_shim_write_error()
        }
    }

    // MARK: Ending

    /// What a transfer that ended with this code tells its caller.
    func result(_ code: CURLcode) -> Result<Void, Failure> {
        guard code != CURLE_OK else { return .success(()) }
        if let refusal = transfer.refusal { return .failure(refusal) }
        let text = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return .failure(Self.cause(code, text, transfer))
    }

    private static func cause(_ code: CURLcode, _ message: String, _ transfer: Transfer) -> Failure {
        let text = message.isEmpty ? String(cString: curl_easy_strerror(code)) : message
        switch code {
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: return .invalidRequest(text)
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: return .hostNotFound(text)
        case CURLE_COULDNT_CONNECT: return .notConnected(text)
        case CURLE_OPERATION_TIMEDOUT:
            if case .stream = transfer.delivery { return .stalled(transfer.stallLimit ?? transfer.patience) }
            return .deadlineExceeded(transfer.patience)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CRL_BADFILE, CURLE_USE_SSL_FAILED:
            return .insecure(text)
        case CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_HTTP2,
            CURLE_HTTP2_STREAM:
            return .connectionLost(text)
        default: return .failed(code: Int(code.rawValue), text)
        }
    }
}
