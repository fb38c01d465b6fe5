//
// Transfer.swift: one request on its way, between the loop's thread that fills it and the task that waits for it.
//

import CCurlShim
import Synchronization

/// The meeting point of libcurl's callbacks and one waiting task.
///
/// The loop calls `take…` and ``finish(_:)`` on its thread; the task awaits ``head()`` and ``chunk()``. Continuations
/// are resumed outside the lock, each once.
final class Transfer: Sendable {
    /// What becomes of the body.
    enum Delivery: Sendable, Equatable {
        /// Kept until it is complete; more than this is an error.
        case whole(bytesMax: Int)
        /// Handed out as it comes; the server is held back while more than this waits.
        case stream(waitingBytesMax: Int)
    }

    private enum Waiter {
        case head(CheckedContinuation<Result<HTTPHead, HTTPTransportError.Cause>, Never>)
        case chunk(CheckedContinuation<Result<[UInt8]?, HTTPTransportError.Cause>, Never>)
    }

    private struct State {
        var status = 0
        var reason = ""
        var fields = HTTPFields()
        var headBytes = 0
        var head: HTTPHead?
        var body: [UInt8] = []
        var isPaused = false
        /// Why a callback of ours ended the transfer; libcurl only knows that it did.
        var refusal: HTTPTransportError.Cause?
        var end: Result<Void, HTTPTransportError.Cause>?
        var waiter: Waiter?
    }

    static let headBytesMax = 256 * 1024

    let request: HTTPRequest
    let url: RequestURL
    let delivery: Delivery
    /// When a whole answer, or a stream's head, must be there.
    let deadline: ContinuousClock.Instant
    /// What the caller was promised; for the message.
    let patience: Duration
    /// A stream that brings nothing for this long is given up.
    let stallLimit: Duration?

    private let state = Mutex(State())

    init(
        _ request: HTTPRequest, url: RequestURL, delivery: Delivery, deadline: ContinuousClock.Instant,
        patience: Duration, stallLimit: Duration? = nil
    ) {
        self.request = request
        self.url = url
        self.delivery = delivery
        self.deadline = deadline
        self.patience = patience
        self.stallLimit = stallLimit
    }

    // MARK: The task's side

    func head() async -> Result<HTTPHead, HTTPTransportError.Cause> {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state -> Result<HTTPHead, HTTPTransportError.Cause>? in
                if let head = state.head { return .success(head) }
                switch state.end {
                case .failure(let cause): return .failure(cause)
                case .success: return .failure(.connectionLost("the answer has no header"))
                case nil:
                    state.waiter = .head(continuation)
                    return nil
                }
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    /// The bytes that wait; for a whole answer all of them, at its end. Nil: the body is over.
    ///
    /// - Parameter resume: Asked to let the server go on.
    func chunk(resume: @Sendable () -> Void) async -> Result<[UInt8]?, HTTPTransportError.Cause> {
        var wasPaused = false
        defer { if wasPaused { resume() } }
        return await withCheckedContinuation { continuation in
            let ready = state.withLock { state -> Result<[UInt8]?, HTTPTransportError.Cause>? in
                wasPaused = state.isPaused
                state.isPaused = false
                if let chunk = Self.readyChunk(&state, delivery) { return chunk }
                state.waiter = .chunk(continuation)
                return nil
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    private static func readyChunk(
        _ state: inout State, _ delivery: Delivery
    ) -> Result<[UInt8]?, HTTPTransportError.Cause>? {
        if case .failure(let cause) = state.end { return .failure(cause) }
        let isReady =
            if case .stream = delivery { !state.body.isEmpty } else { state.end != nil && !state.body.isEmpty }
        if isReady {
            let chunk = state.body
            state.body = []
            return .success(chunk)
        }
        return state.end == nil ? nil : .success(nil)
    }

    // MARK: The loop's side

    /// Whether a stream's head has come, so that no deadline holds any more.
    var hasHead: Bool { state.withLock { $0.head != nil } }

    var refusal: HTTPTransportError.Cause? { state.withLock { $0.refusal } }

    /// Takes one line of a header block. False: enough of it.
    func take(headerLine bytes: UnsafeRawBufferPointer) -> Bool {
        let (goesOn, waiter) = state.withLock { state -> (Bool, (@Sendable () -> Void)?) in
            // Lines behind the body are trailers.
            guard state.head == nil else { return (true, nil) }
            state.headBytes += bytes.count
            guard state.headBytes <= Self.headBytesMax else {
                state.refusal = .headTooLarge(bytesMax: Self.headBytesMax)
                return (false, nil)
            }
            let line = Self.trimmed(bytes)
            if line.hasPrefix("HTTP/") {
                state.fields = HTTPFields()
                let words = line.split(separator: " ", maxSplits: 2)
                state.status = words.dropFirst().first.flatMap { Int($0) } ?? 0
                state.reason = words.count > 2 ? String(words[2]) : ""
                return (true, nil)
            }
            if let colon = line.firstIndex(of: ":") {
                let value = line[line.index(after: colon)...]
                state.fields.append(.init(String(line[..<colon]), Self.trimmed(String(value))))
                return (true, nil)
            }
            guard line.isEmpty, state.status >= 200 else { return (true, nil) }
            let head = HTTPHead(status: state.status, reason: state.reason, fields: state.fields)
            state.head = head
            if case .whole(let bytesMax) = delivery, let length = head.fields["Content-Length"].flatMap({ Int($0) }) {
                guard length <= bytesMax || request.method == "HEAD" else {
                    state.refusal = .bodyTooLarge(bytesMax: bytesMax)
                    return (false, nil)
                }
                if request.method != "HEAD" { state.body.reserveCapacity(length) }
            }
            return (true, Self.wake(&state, delivery))
        }
        waiter?()
        return goesOn
    }

    /// What to tell libcurl about bytes of the body.
    enum Acceptance { case taken, paused, refused }

    func take(bytes: UnsafeRawBufferPointer) -> Acceptance {
        let (acceptance, waiter) = state.withLock { state -> (Acceptance, (@Sendable () -> Void)?) in
            switch delivery {
            case .whole(let bytesMax):
                guard state.body.count + bytes.count <= bytesMax else {
                    state.refusal = .bodyTooLarge(bytesMax: bytesMax)
                    state.body = []
                    return (.refused, nil)
                }
            case .stream(let waitingBytesMax):
                guard state.body.isEmpty || state.body.count + bytes.count <= waitingBytesMax else {
                    state.isPaused = true
                    return (.paused, nil)
                }
            }
            state.body.append(contentsOf: bytes)
            return (.taken, Self.wake(&state, delivery))
        }
        waiter?()
        return acceptance
    }

    func finish(_ end: Result<Void, HTTPTransportError.Cause>) {
        let waiter = state.withLock { state -> (@Sendable () -> Void)? in
            guard state.end == nil else { return nil }
            state.end = end
            return Self.wake(&state, delivery)
        }
        waiter?()
    }

    /// Takes the waiter out when what it waits for is there.
    private static func wake(_ state: inout State, _ delivery: Delivery) -> (@Sendable () -> Void)? {
        switch state.waiter {
        case .head(let continuation):
            if let head = state.head {
                state.waiter = nil
                return { continuation.resume(returning: .success(head)) }
            }
            guard let end = state.end else { return nil }
            state.waiter = nil
            return {
                switch end {
                case .failure(let cause): continuation.resume(returning: .failure(cause))
                case .success: continuation.resume(returning: .failure(.connectionLost("the answer has no header")))
                }
            }
        case .chunk(let continuation):
            guard let chunk = readyChunk(&state, delivery) else { return nil }
            state.waiter = nil
            return { continuation.resume(returning: chunk) }
        case nil: return nil
        }
    }

    private static func trimmed(_ bytes: UnsafeRawBufferPointer) -> String {
        trimmed(String(decoding: bytes, as: UTF8.self))
    }

    private static func trimmed(_ text: String) -> String {
        var rest = text.utf8[...]
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }
        while let first = rest.first, isSpace(first) { rest.removeFirst() }
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return String(Substring(rest))
    }
}
