//
// CurlLoop.swift: the thread that owns libcurl's multi handle.
//
// Everything that touches libcurl happens here; others post commands and wake it, the one call that libcurl allows from
// outside. A round: run commands, let transfers proceed, finish those that are done, sleep until something happens.
//

import CCurlShim
import Glibc
import Synchronization

/// The loop and its thread.
// @unchecked: `active`, `awaitingHead` and the multi handle's transfers are touched on the loop's thread alone;
// everything that others touch is behind `inbox`. The multi handle outlives every wake-up: see `Inbox.isOpen`.
final class CurlLoop: @unchecked Sendable {
    private enum Command {
        case add(Transfer)
        case cancel(Transfer)
        case resume(Transfer)
    }

    private struct Inbox {
        /// False once the thread is about to end: then nothing is posted and nobody is woken.
        var isOpen = true
        var stops = false
        var commands: [Command] = []
    }

    private let userAgent: String
    private let multi: UnsafeMutableRawPointer
    private let inbox = Mutex(Inbox())

    // The thread's own.
    private var active: [ObjectIdentifier: EasyHandle] = [:]
    private var awaitingHead: [ObjectIdentifier: Transfer] = [:]

    /// libcurl wants this once, before any use.
    private static let isReady: Bool = curl_shim_global_init() == CURLE_OK

    init(userAgent: String) {
        self.userAgent = userAgent
        precondition(Self.isReady, "libcurl cannot be initialised")
        guard let multi = curl_multi_init() else { preconditionFailure("no memory for libcurl's multi handle") }
        self.multi = multi
        // Idle connections kept for the next request of a discoverer; each is a descriptor.
        _ = curl_shim_multi_setopt_long(multi, CURLMOPT_MAXCONNECTS, 64)
        _ = curl_shim_multi_setopt_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_MULTIPLEX))
        startThread()
    }

    private func startThread() {
        var thread = pthread_t()
        let loop = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread, nil,
            { context in
                // The argument is the retained loop that was passed.
                Unmanaged<CurlLoop>.fromOpaque(context.unsafelyUnwrapped).takeRetainedValue().run()
                return nil
            }, loop.toOpaque())
        precondition(code == 0, "no thread for libcurl: \(String(cString: strerror(code)))")
        pthread_detach(thread)
    }

    // MARK: From any thread

    func add(_ transfer: Transfer) {
        if !post(.add(transfer)) { transfer.finish(.failure(.closed)) }
    }

    func cancel(_ transfer: Transfer) { _ = post(.cancel(transfer)) }

    func resume(_ transfer: Transfer) { _ = post(.resume(transfer)) }

    /// Ends the thread; what is under way fails with `closed`.
    func stop() {
        inbox.withLock { inbox in
            guard inbox.isOpen else { return }
            inbox.stops = true
            curl_multi_wakeup(multi)
        }
    }

    private func post(_ command: Command) -> Bool {
        inbox.withLock { inbox in
            guard inbox.isOpen, !inbox.stops else { return false }
            inbox.commands.append(command)
            // One wake-up is enough for all that is in the inbox.
            if inbox.commands.count == 1 { curl_multi_wakeup(multi) }
            return true
        }
    }

    // MARK: The thread

    private func run() {
        // A connection that breaks under TLS must be an error and not a signal; held back on this thread alone.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)

        while runCommands() {
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            finishDone()
            enforceDeadlines()
            curl_multi_poll(multi, nil, 0, pollMilliseconds(), nil)
        }
        close()
    }

    /// False: asked to stop.
    private func runCommands() -> Bool {
        let (commands, stops) = inbox.withLock { inbox in
            defer { inbox.commands.removeAll(keepingCapacity: true) }
            return (inbox.commands, inbox.stops)
        }
        for command in commands {
            switch command {
            case .add(let transfer): begin(transfer)
            case .cancel(let transfer): end(ObjectIdentifier(transfer), .failure(.cancelled))
            case .resume(let transfer):
                if let easy = active[ObjectIdentifier(transfer)] { curl_easy_pause(easy.handle, CURLPAUSE_CONT) }
            }
        }
        return !stops
    }

    private func begin(_ transfer: Transfer) {
        do throws(HTTPTransportError.Cause) {
            guard transfer.deadline > .now else { throw .deadlineExceeded(transfer.patience) }
            let easy = try EasyHandle(transfer, userAgent: userAgent)
            let code = curl_multi_add_handle(multi, easy.handle)
            guard code == CURLM_OK else {
                throw .failed(code: Int(code.rawValue), String(cString: curl_multi_strerror(code)))
            }
            active[ObjectIdentifier(transfer)] = easy
            if case .stream = transfer.delivery { awaitingHead[ObjectIdentifier(transfer)] = transfer }
        } catch {
            transfer.finish(.failure(error))
        }
    }

    private func finishDone() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
            let code = curl_shim_message_result(message)
            var context: UnsafeMutableRawPointer?
            guard curl_shim_getinfo_pointer(handle, CURLINFO_PRIVATE, &context) == CURLE_OK, let context else {
                continue
            }
            let key = ObjectIdentifier(Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue())
            guard let easy = active[key] else { continue }
            end(key, easy.result(code))
        }
    }

    private func end(_ key: ObjectIdentifier, _ result: Result<Void, HTTPTransportError.Cause>) {
        awaitingHead[key] = nil
        guard let easy = active.removeValue(forKey: key) else { return }
        curl_multi_remove_handle(multi, easy.handle)
        easy.transfer.finish(result)
    }

    /// Of streams: libcurl watches over the others.
    private func enforceDeadlines() {
        guard !awaitingHead.isEmpty else { return }
        let now = ContinuousClock.now
        for (key, transfer) in awaitingHead {
            if transfer.hasHead {
                awaitingHead[key] = nil
            } else if transfer.deadline <= now {
                end(key, .failure(.deadlineExceeded(transfer.patience)))
            }
        }
    }

    private func pollMilliseconds() -> Int32 {
        let idle: Int32 = 60_000
        guard let next = awaitingHead.values.lazy.map(\.deadline).min() else { return idle }
        let left = ContinuousClock.now.duration(to: next) / .milliseconds(1)
        return Int32(max(1, min(left.rounded(.up), Double(idle))))
    }

    private func close() {
        let commands = inbox.withLock { inbox in
            inbox.isOpen = false
            return inbox.commands
        }
        for command in commands {
            if case .add(let transfer) = command { transfer.finish(.failure(.closed)) }
        }
        for key in Array(active.keys) { end(key, .failure(.closed)) }
        curl_multi_cleanup(multi)
    }
}
