//
// PostgresConnection+Notifications.swift: LISTEN, and waiting for what is notified while statements run beside it.
//

import CLibpq
import Glibc

package struct PostgresNotification: Sendable, Hashable {
    package let channel: String
    package let payload: String
    /// The session that notified; its own notifications come too.
    package let backendPID: Int32
}

extension PostgresConnection {
    /// Notifications kept for a reader that does not come. The oldest give way: a notification is a hint to look, and
    /// one of the newest serves as well.
    private static var notificationsMax: Int { 4096 }

    /// Subscribes to a channel. After a reconnect: again, then read what was missed.
    package func listen(
        _ channel: String, deadline: ContinuousClock.Instant? = nil, file: String = #fileID, line: Int = #line
    ) async throws(PostgresError) {
        let quoted =
            "\"" + channel.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
        try await execute("LISTEN \(unsafeSQL: quoted)", deadline: deadline, file: file, line: line)
    }

    /// The next notification in order of arrival; nil when the deadline passes first. Other calls run meanwhile, such
    /// as a heartbeat that finds out whether the session is still alive.
    ///
    /// - Throws: `.connectionLost`, `.cancelled`; `.misuse` when another task waits already.
    package func nextNotification(
        deadline: ContinuousClock.Instant? = nil, file: String = #fileID, line: Int = #line
    ) async throws(PostgresError) -> PostgresNotification? {
        let site = PostgresError.CallSite(file: file, line: line)
        guard notificationWait == nil else {
            throw PostgresError(.misuse, "two tasks wait for notifications").locating(statement: nil, site: site)
        }
        while true {
            if operation == nil { collectNotifications() }
            if !notifications.isEmpty { return notifications.removeFirst() }
            guard let session else { throw endedError.locating(statement: nil, site: site) }
            let wait = PollExecutor.WaitID()
            notificationWait = wait
            // While a call has the wire, input is its own: it takes it in, and wakes this one when it is done.
            let ended = await executor.wait(
                wait, descriptor: operation == nil ? PQsocket(session.connection) : nil, events: POLLIN,
                until: deadline)
            notificationWait = nil
            switch ended {
            case .deadlinePassed: return nil
            case .cancelled:
                throw PostgresError(.cancelled, "the task was cancelled while it waited for a notification").locating(
                    statement: nil, site: site)
            case .signalled: continue
            case .ready:
                guard operation == nil, let session = self.session else { continue }
                let isOpen = PQconsumeInput(session.connection) == 1
                collectNotifications()
                if !isOpen || session.lastWords != nil { throw lose().locating(statement: nil, site: site) }
            }
        }
    }

    /// Moves what libpq has parsed into the queue.
    func collectNotifications() {
        guard let connection = session?.connection else { return }
        while let pointer = PQnotifies(connection) {
            defer { PQfreemem(pointer) }
            if notifications.count >= Self.notificationsMax { notifications.removeFirst() }
            notifications.append(
                PostgresNotification(
                    channel: String(cString: pointer.pointee.relname), payload: String(cString: pointer.pointee.extra),
                    backendPID: pointer.pointee.be_pid))
        }
    }
}
