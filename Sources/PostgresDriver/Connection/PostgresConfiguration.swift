//
// PostgresConfiguration.swift: where the database is and how long to wait for it.
//
// The string is libpq's: a postgresql:// URL or keyword=value pairs; what it leaves out comes from libpq's environment
// (PGHOST, PGUSER, PGPASSFILE, …). Hosts are tried one after another by this driver rather than by libpq, because
// libpq's connect_timeout does not hold for non-blocking connects and because its refusal of a read-only server
// carries no code to decide on.
//

import CLibpq
import Glibc

package struct PostgresConfiguration: Sendable {
    /// What a session's server must be; the values of libpq's target_session_attrs.
    package enum SessionTarget: String, Sendable, CaseIterable {
        case any
        case readWrite = "read-write"
        case readOnly = "read-only"
        case primary
        case standby
        case preferStandby = "prefer-standby"
    }

    struct Endpoint: Sendable, Hashable {
        /// A name, an address, or a folder that holds a socket; nil is libpq's default folder.
        var host: String?
        var address: String?
        var port: String?
    }

    /// What goes to libpq as it is; the password is among it.
    private(set) var parameters: [String: String]
    let endpoints: [Endpoint]

    /// For one address of one host.
    package var connectTimeout: Duration = .seconds(5)
    /// For a call that names no deadline. The server gives the statement up at the same time.
    package var statementTimeout: Duration = .seconds(60)
    /// How long the server's word that it has given a statement up is waited for, before the session is closed.
    package var answerPatience: Duration = .seconds(1)
    /// How long the server lets a transaction wait for its client before it ends the session.
    package var idleInTransactionTimeout: Duration = .seconds(60)
    package var applicationName: String
    package var searchPath: String?
    package var sessionTarget: SessionTarget
    /// False for a pooler that hands each transaction to another session.
    package var usesPreparedStatements = true

    /// - Parameter defaultTarget: The kind of server where neither string nor environment names one.
    /// - Throws: `.configuration`. Its message never quotes the string, which may hold a password.
    package init(
        connectionString: String, defaultTarget: SessionTarget = .readWrite
    ) throws(PostgresError) {
        sessionTarget = defaultTarget
        var parameters = try Self.parse(connectionString)
        guard parameters["service"] == nil else {
            throw Self.unusable("service= is not supported; name host, port, user and dbname")
        }
        if let target = parameters.removeValue(forKey: "target_session_attrs") ?? Self.environment("TARGETSESSIONATTRS")
        {
            guard let known = SessionTarget(rawValue: target) else {
                let values = SessionTarget.allCases.map(\.rawValue).joined(separator: ", ")
                throw Self.unusable("target_session_attrs is none of \(values)")
            }
            sessionTarget = known
        }
        if let text = parameters.removeValue(forKey: "connect_timeout") ?? Self.environment("CONNECT_TIMEOUT") {
            guard let seconds = Int(text), seconds >= 0 else {
                throw Self.unusable("connect_timeout is not a whole number of seconds")
            }
            // 0 means no limit to libpq. Here no call is without one.
            if seconds > 0 { connectTimeout = .seconds(seconds) }
        }
        applicationName =
            parameters.removeValue(forKey: "application_name") ?? Self.environment("APPNAME") ?? "target-ledger"
        endpoints = try Self.endpoints(
            hosts: parameters.removeValue(forKey: "host") ?? Self.environment("HOST"),
            addresses: parameters.removeValue(forKey: "hostaddr") ?? Self.environment("HOSTADDR"),
            ports: parameters.removeValue(forKey: "port") ?? Self.environment("PORT"))
        self.parameters = Self.networkDefaults.merging(parameters) { $1 }
    }

    /// The same server and credentials, another database.
    package func withDatabase(_ name: String) -> PostgresConfiguration {
        var copy = self
        copy.parameters["dbname"] = name
        return copy
    }

    /// The same, for sessions that only read: a standby or a read-only server will do.
    package var reading: PostgresConfiguration {
        var copy = self
        copy.sessionTarget = .any
        return copy
    }

    /// Host, port, database, user and what else is no secret; what libpq would add by itself stands for what is not given.
    package var redactedDescription: String {
        var parameters = parameters
        parameters["user"] = parameters["user"] ?? Self.initial("user")
        parameters["dbname"] = parameters["dbname"] ?? Self.initial("dbname") ?? parameters["user"]
        var words = endpoints.map { endpoint in
            "host=\(endpoint.host ?? endpoint.address ?? "(default)")" + (endpoint.port.map { " port=\($0)" } ?? "")
        }
        for keyword in ["dbname", "user", "sslmode"] {
            if let value = parameters[keyword] { words.append("\(keyword)=\(value)") }
        }
        return words.joined(separator: " ")
    }

    // A silent cut is noticed within some 10 s in use and 30 s when idle; the system's own limits are hours.
    private static let networkDefaults = [
        "keepalives_idle": "15", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "10000",
        "client_encoding": "UTF8",
    ]

    private static func unusable(_ why: String) -> PostgresError {
        PostgresError(.configuration, "connection string: \(why)")
    }

    private static func environment(_ name: String) -> String? {
        getenv("PG\(name)").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// libpq's default for a keyword: the environment's, or the name of the operating system's user.
    private static func initial(_ keyword: String) -> String? {
        guard let options = PQconndefaults() else { return nil }
        defer { PQconninfoFree(options) }
        var option = options
        while let name = option.pointee.keyword {
            if strcmp(name, keyword) == 0 { return option.pointee.val.map { String(cString: $0) } }
            option += 1
        }
        return nil
    }

    private static func parse(_ text: String) throws(PostgresError) -> [String: String] {
        var complaint: UnsafeMutablePointer<CChar>?
        let options = PQconninfoParse(text, &complaint)
        // libpq's complaint quotes the part it stumbled on, which may be a piece of the password.
        PQfreemem(complaint)
        guard let options else {
            throw unusable(
                text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
                    ? "not a URL that libpq accepts; reserved characters in user or password must be percent-encoded"
                    : "neither a postgresql:// URL nor keyword=value pairs that libpq accepts; "
                        + "a value with spaces must stand in single quotes")
        }
        defer { PQconninfoFree(options) }
        var parameters: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val, value.pointee != 0 {
                parameters[String(cString: keyword)] = String(cString: value)
            }
            option += 1
        }
        return parameters
    }

    /// Lists of the same length, of which hosts or addresses may be missing; one port stands for all.
    private static func endpoints(
        hosts: String?, addresses: String?, ports: String?
    ) throws(PostgresError) -> [Endpoint] {
        let hosts = hosts.map(list), addresses = addresses.map(list), ports = ports.map(list) ?? []
        // What a password with an unescaped @ leaves in the place of a host.
        guard !(hosts ?? []).contains(where: { $0?.dropFirst().contains("@") ?? false }) else {
            throw unusable("a host holds @; reserved characters in user or password must be percent-encoded")
        }
        let count = hosts?.count ?? addresses?.count ?? 1
        guard (addresses?.count ?? count) == count else { throw unusable("host and hostaddr differ in number") }
        guard ports.count <= 1 || ports.count == count else { throw unusable("host and port differ in number") }
        var endpoints: [Endpoint] = []
        for index in 0..<count {
            let port = ports.count > 1 ? ports[index] : ports.first ?? nil
            guard port.map({ UInt16($0).map { $0 > 0 } ?? false }) ?? true else {
                throw unusable("a port is not a number from 1 to 65535")
            }
            endpoints.append(Endpoint(host: hosts?[index], address: addresses?[index], port: port))
        }
        return endpoints
    }

    private static func list(_ text: String) -> [String?] {
        text.split(separator: ",", omittingEmptySubsequences: false).map { $0.isEmpty ? nil : String($0) }
    }
}

extension PostgresConfiguration: CustomStringConvertible, CustomReflectable {
    package var description: String { redactedDescription }

    /// Keeps the password out of `dump` and of test failures.
    package var customMirror: Mirror { Mirror(self, children: ["server": redactedDescription]) }
}
