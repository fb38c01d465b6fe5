//
// Dialer.swift: opens a session: every address of every host in turn, within time, to a server of the wanted kind.
//
// It blocks (name resolution does, and a password's hash takes a while), so it runs on a thread of its own. The caller
// waits on the poll thread, whose deadline holds even when the resolver never answers: the thread then goes on alone
// and closes what it opened.
//

import CLibpq
import Glibc
import Synchronization

/// Waits for a dialing thread.
actor Dialer {
    private let executor: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(executor: PollExecutor) { self.executor = executor }

    private final class Outcome: Sendable {
        private let value = Mutex<Result<Session, PostgresError>?>(nil)

        func put(_ result: Result<Session, PostgresError>) { value.withLock { $0 = result } }
        func take() -> Result<Session, PostgresError>? { value.withLock { $0 } }
    }

    func dial(
        _ configuration: PostgresConfiguration, deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> Session {
        let outcome = Outcome()
        let wait = PollExecutor.WaitID()
        let executor = executor
        Threads.start(name: "postgres-dial") {
            let attempt = DialAttempt(configuration: configuration, deadline: deadline)
            outcome.put(attempt.run())
            executor.signal(wait)
        }
        let ended = await executor.wait(wait, descriptor: nil, until: deadline + .milliseconds(50))
        if let result = outcome.take() { return try result.get() }
        throw ended == .cancelled
            ? PostgresError(.cancelled, "connecting to \(configuration.redactedDescription) was cancelled")
            : DialAttempt.deadlineExceeded(configuration)
    }
}

/// One round over all hosts, on the thread that calls it.
struct DialAttempt {
    let configuration: PostgresConfiguration
    let deadline: ContinuousClock.Instant

    static func deadlineExceeded(_ configuration: PostgresConfiguration) -> PostgresError {
        PostgresError(.deadlineExceeded, "no session with \(configuration.redactedDescription) within the deadline")
    }

    func run() -> Result<Session, PostgresError> {
        if configuration.sessionTarget == .preferStandby {
            let standby = round(target: .standby)
            if case .success = standby { return standby }
            return round(target: .any)
        }
        return round(target: configuration.sessionTarget)
    }

    private func round(target: PostgresConfiguration.SessionTarget) -> Result<Session, PostgresError> {
        var failures: [PostgresError] = []
        for endpoint in configuration.endpoints {
            do throws(PostgresError) {
                for address in try addresses(of: endpoint) {
                    guard ContinuousClock.now < deadline else { throw Self.deadlineExceeded(configuration) }
                    do throws(PostgresError) {
                        return .success(try open(address, target: target))
                    } catch {
                        failures.append(error)
                    }
                }
            } catch {
                failures.append(error)
                if error.kind == .deadlineExceeded { break }
            }
        }
        return .failure(Self.summary(of: failures))
    }

    /// A code says more than none, and a later host is as good as an earlier one.
    private static func summary(of failures: [PostgresError]) -> PostgresError {
        guard var error = failures.last(where: { $0.sqlState != nil }) ?? failures.last else {
            return PostgresError(.configuration, "no host to connect to")
        }
        var seen: Set<String> = []
        error.message = failures.map(\.message).filter { seen.insert($0).inserted }.joined(separator: "; ")
        return error
    }

    private func addresses(
        of endpoint: PostgresConfiguration.Endpoint
    ) throws(PostgresError) -> [PostgresConfiguration.Endpoint] {
        guard endpoint.address == nil, let host = endpoint.host, !host.hasPrefix("/"), !host.hasPrefix("@") else {
            return [endpoint]
        }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let failure = getaddrinfo(host, nil, &hints, &found)
        defer { if let found { freeaddrinfo(found) } }
        guard failure == 0 else {
            throw PostgresError(
                .connectionFailed, "host \(host) cannot be resolved: \(String(cString: gai_strerror(failure)))")
        }
        var resolved: [PostgresConfiguration.Endpoint] = []
        var next = found
        while let info = next?.pointee {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            if getnameinfo(
                info.ai_addr, info.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            {
                var one = endpoint
                one.address = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
                resolved.append(one)
            }
            next = info.ai_next
        }
        return resolved
    }

    private func open(
        _ endpoint: PostgresConfiguration.Endpoint, target: PostgresConfiguration.SessionTarget
    ) throws(PostgresError) -> Session {
        var parameters = configuration.parameters
        parameters["host"] = endpoint.host
        parameters["hostaddr"] = endpoint.address
        parameters["port"] = endpoint.port
        parameters["application_name"] = configuration.applicationName
        // Decided below, with a code.
        parameters["target_session_attrs"] = "any"
        let end = min(deadline, .now + configuration.connectTimeout)
        guard let connection = Self.start(parameters) else {
            throw PostgresError(.connectionFailed, "out of memory")
        }
        do throws(PostgresError) {
            try establish(connection, place: endpoint.host ?? endpoint.address ?? "the default socket", target, end)
            return Session(connection)
        } catch {
            PQfinish(connection)
            throw error
        }
    }

    private func establish(
        _ connection: OpaquePointer, place: String, _ target: PostgresConfiguration.SessionTarget,
        _ end: ContinuousClock.Instant
    ) throws(PostgresError) {
        // Verbose messages carry the SQLSTATE, which libpq offers in no other way for a refused connection.
        PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
        var status = PGRES_POLLING_WRITING
        while status != PGRES_POLLING_OK {
            guard status != PGRES_POLLING_FAILED, PQstatus(connection) != CONNECTION_BAD else {
                throw Self.refusal(connection, place: place)
            }
            let events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT
            guard Self.wait(connection, events, until: end) else {
                guard end < deadline else { throw Self.deadlineExceeded(configuration) }
                throw PostgresError(
                    .connectionFailed, "connecting to \(place) timed out after \(configuration.connectTimeout)")
            }
            status = PQconnectPoll(connection)
        }
        PQsetErrorVerbosity(connection, PQERRORS_DEFAULT)
        try check(connection, is: target, place: place, until: end)
    }

    private static func start(_ parameters: [String: String]) -> OpaquePointer? {
        let pairs = parameters.map { (strdup($0.key), strdup($0.value)) }
        defer {
            for (keyword, value) in pairs {
                free(keyword)
                free(value)
            }
        }
        var keywords = pairs.map { UnsafePointer($0.0) }
        var values = pairs.map { UnsafePointer($0.1) }
        keywords.append(nil)
        values.append(nil)
        return PQconnectStartParams(keywords, values, 0)
    }

    /// False: the time has passed.
    private static func wait(
        _ connection: OpaquePointer, _ events: Int32, until end: ContinuousClock.Instant
    ) -> Bool {
        var polled = pollfd(fd: PQsocket(connection), events: Int16(events), revents: 0)
        while true {
            let left = end - .now
            guard left > .zero else { return false }
            let (seconds, attoseconds) = left.components
            let milliseconds = Int32(min(seconds, 86_400)) * 1000 + Int32(attoseconds / 1_000_000_000_000_000) + 1
            let count = poll(&polled, 1, milliseconds)
            if count > 0 { return true }
            if count < 0 && errno != EINTR { return true }
        }
    }

    private static func refusal(_ connection: OpaquePointer, place: String) -> PostgresError {
        if PQconnectionNeedsPassword(connection) == 1 {
            return PostgresError(.server(.invalidPassword), "\(place) asks for a password, and none is given")
        }
        return ConnectMessage(PQerrorMessage(connection).map { String(cString: $0) } ?? "").error
    }

    // MARK: The kind of server

    private func check(
        _ connection: OpaquePointer, is target: PostgresConfiguration.SessionTarget, place: String,
        until end: ContinuousClock.Instant
    ) throws(PostgresError) {
        guard target != .any else { return }
        let (isStandby, isReadOnly) = try Self.serverKind(connection, place: place, until: end)
        switch target {
        case .readWrite where isStandby || isReadOnly:
            throw PostgresError(
                .server(.readOnlySQLTransaction),
                isStandby
                    ? "\(place) is a standby, which is read-only; a read-write server is needed"
                    : "\(place) is read-only (default_transaction_read_only is on); a read-write server is needed")
        case .primary where isStandby:
            throw PostgresError(.server(.readOnlySQLTransaction), "\(place) is a standby; a primary is needed")
        case .standby where !isStandby:
            throw PostgresError(.connectionFailed, "\(place) is a primary; a standby is needed")
        case .readOnly where !isStandby && !isReadOnly:
            throw PostgresError(.connectionFailed, "\(place) is read-write; a read-only server is needed")
        default: break
        }
    }

    private static func serverKind(
        _ connection: OpaquePointer, place: String, until end: ContinuousClock.Instant
    ) throws(PostgresError) -> (isStandby: Bool, isReadOnly: Bool) {
        // PostgreSQL 14 and later report both when a session begins; some poolers pass neither on.
        if let standby = PQparameterStatus(connection, "in_hot_standby"),
            let readOnly = PQparameterStatus(connection, "default_transaction_read_only")
        {
            return (String(cString: standby) == "on", String(cString: readOnly) == "on")
        }
        let query = "SELECT pg_is_in_recovery()::text, current_setting('default_transaction_read_only')"
        let lost = PostgresError(.connectionFailed, "\(place) did not tell whether it is read-only")
        guard PQsendQuery(connection, query) == 1 else { throw lost }
        while PQisBusy(connection) == 1 {
            guard wait(connection, POLLIN, until: end), PQconsumeInput(connection) == 1 else { throw lost }
        }
        guard let pointer = PQgetResult(connection) else { throw lost }
        let result = PostgresResult(pointer)
        guard PQresultStatus(result.pointer) == PGRES_TUPLES_OK, PQntuples(result.pointer) == 1 else {
            throw ServerMessage.error(of: result.pointer, statement: query)
        }
        while let more = PQgetResult(connection) { PQclear(more) }
        return withExtendedLifetime(result) {
            let values = (0..<Int32(2)).map { String(cString: PQgetvalue(result.pointer, 0, $0)) }
            return (values[0] == "true", values[1] == "on")
        }
    }
}

/// What libpq says when a connection does not come to be, in verbose form:
///
///     connection to server at "db" (10.0.0.7), port 5432 failed: FATAL:  28P01: password authentication failed …
///     LOCATION:  auth_failed, auth.c:338
struct ConnectMessage {
    let error: PostgresError

    init(_ text: String) {
        let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? "no message"
        guard let (before, code, after) = Self.parts(of: line) else {
            error = PostgresError(.connectionFailed, line)
            return
        }
        let state = SQLState(rawValue: code)
        error = PostgresError(.server(state), ServerMessage.withoutValues("\(before): \(after)", state))
    }

    /// Splits at colon, two spaces, five digits or capitals, colon, space: that form is fixed, while the words around it
    /// are translated.
    private static func parts(of line: String) -> (before: String, code: String, after: String)? {
        let bytes = Array(line.utf8)
        guard bytes.count >= 10 else { return nil }
        for start in 0...(bytes.count - 10) where bytes[start...].starts(with: ":  ".utf8) {
            let code = bytes[(start + 3)..<(start + 8)]
            let isCode = code.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) }
            guard isCode, bytes[(start + 8)...].starts(with: ": ".utf8) else { continue }
            return (
                String(decoding: bytes[..<start], as: UTF8.self), String(decoding: code, as: UTF8.self),
                String(decoding: bytes[(start + 10)...], as: UTF8.self)
            )
        }
        return nil
    }
}
