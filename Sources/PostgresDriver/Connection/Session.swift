//
// Session.swift: owns one PGconn.
//

import CLibpq

/// A libpq connection and its key for cancelling, closed with the last reference.
// Unchecked: libpq allows one thread at a time. The dialing thread hands it over whole, and from then on every call is
// made by the PostgresConnection that holds it, on its poll thread; the last release makes no other use possible.
final class Session: @unchecked Sendable {
    let connection: OpaquePointer
    let canceller: Canceller
    /// What the server said as it ended the session while nothing ran: libpq takes that for a notice.
    private(set) var lastWords: PostgresError?

    init(_ connection: OpaquePointer) {
        self.connection = connection
        canceller = Canceller(connection)
        // Unretained: the session outlives its connection's last call, and libpq calls from nowhere else.
        PQsetNoticeReceiver(
            connection,
            { session, notice in
                guard let session, let notice else { return }
                Unmanaged<Session>.fromOpaque(session).takeUnretainedValue().take(notice)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { PQfinish(connection) }

    private func take(_ notice: OpaquePointer) {
        let error = ServerMessage.error(of: notice, statement: nil)
        if error.kind == .connectionLost { lastWords = error }
    }
}

/// Asks the server to cancel what a session runs.
// Unchecked: a PGcancel is a copy of addresses and a key, made once and only read; PQcancel is allowed on any thread.
final class Canceller: @unchecked Sendable {
    private let cancel: OpaquePointer?

    init(_ connection: OpaquePointer) { cancel = PQgetCancel(connection) }

    deinit { PQfreeCancel(cancel) }

    /// Opens a connection to the server, which blocks: so on a thread of its own.
    /// - Parameter completion: Called there when the server has taken the request in, or cannot.
    func send(completion: @escaping @Sendable () -> Void) {
        Threads.start(name: "postgres-cancel") { [self] in
            var complaint = [CChar](repeating: 0, count: 256)
            // A request that fails leaves the statement to its deadline.
            _ = PQcancel(cancel, &complaint, Int32(complaint.count))
            completion()
        }
    }
}
