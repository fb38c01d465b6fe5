//
// PrometheusConfiguration+Paths.swift: makes relative file names absolute.
//
// Prometheus does so with the folder of the file that it loads; an allocator, like upstream's, leaves the names of its
// embedded section relative to the working directory.
//

extension PrometheusConfiguration {
    /// Joins every relative path to a folder, and cleans it of `.` and `..`. `client_certificate_key_file` is left as it
    /// is, which is what Prometheus does.
    package mutating func resolvePaths(relativeTo directory: String) {
        func resolve(_ path: inout String) {
            if !path.isEmpty, !path.hasPrefix("/") { path = Self.clean("\(directory)/\(path)") }
        }
        for index in scrapeConfigs.indices { scrapeConfigs[index].forEachPath(resolve) }
    }

    /// The shortest path that names the same file, as Go's `filepath.Clean`.
    private static func clean(_ path: String) -> String {
        let isRooted = path.hasPrefix("/")
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part != ".." || (parts.isEmpty && !isRooted) || parts.last == ".." {
                parts.append(part)
            } else {
                _ = parts.popLast()
            }
        }
        let joined = parts.joined(separator: "/")
        return isRooted ? "/\(joined)" : (joined.isEmpty ? "." : joined)
    }
}

extension ScrapeConfig {
    fileprivate mutating func forEachPath(_ body: (inout String) -> Void) {
        body(&scrapeFailureLogFile)
        http.forEachPath(body)
        for index in fileSDConfigs.indices {
            for file in fileSDConfigs[index].files.indices { body(&fileSDConfigs[index].files[file]) }
        }
        for index in httpSDConfigs.indices { httpSDConfigs[index].http.forEachPath(body) }
    }
}

extension HTTPClientConfig {
    fileprivate mutating func forEachPath(_ body: (inout String) -> Void) {
        if var basic = basicAuth {
            body(&basic.usernameFile)
            body(&basic.passwordFile)
            basicAuth = basic
        }
        if var authorization {
            body(&authorization.credentialsFile)
            self.authorization = authorization
        }
        if var oauth2 {
            body(&oauth2.clientSecretFile)
            oauth2.tls.forEachPath(body)
            self.oauth2 = oauth2
        }
        tls.forEachPath(body)
        headers = headers?.mapValues { header in
            var header = header
            for index in header.files.indices { body(&header.files[index]) }
            return header
        }
    }
}

extension TLSConfig {
    fileprivate mutating func forEachPath(_ body: (inout String) -> Void) {
        body(&caFile)
        body(&certFile)
        body(&keyFile)
    }
}
