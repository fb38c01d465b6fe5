//
// HTTPClient.swift: sends requests and hands out answers, whole or as a stream.
//
// Redirects are followed here and not by libcurl: what proves who we are (credentials, sensitive fields) goes to the
// request's own host and to hosts of its domain alone.
//

/// An HTTP client with connections of its own. Let go, it closes them.
package final class HTTPClient: Sendable {
    /// As many as Go's client follows.
    package static let redirectsMax = 10
    /// Bytes of a stream that may wait for their reader.
    package static let waitingBytesMax = 256 * 1024

    private let loop: CurlLoop

    /// - Parameter userAgent: Sent with every request that names none of its own.
    package init(userAgent: String) { loop = CurlLoop(userAgent: userAgent) }

    deinit { loop.stop() }

    /// Ends everything under way with ``HTTPTransportError/Cause/closed``.
    package func shutDown() { loop.stop() }

    // MARK: Requests

    /// Sends a request and waits for the whole answer, whatever its status.
    ///
    /// - Parameters:
    ///   - deadline: For everything: name, connection, redirects, body.
    ///   - bodyBytesMax: More than this is an error, found out as early as the answer allows.
    /// - Throws: ``HTTPTransportError``: there is no whole answer.
    package func send(
        _ request: HTTPRequest, deadline: Duration, bodyBytesMax: Int
    ) async throws(HTTPTransportError) -> HTTPResponse {
        var hop = try Hop(request)
        let end = ContinuousClock.now + deadline
        while true {
            let transfer = Transfer(
                hop.request, url: hop.url, delivery: .whole(bytesMax: bodyBytesMax), deadline: end, patience: deadline)
            loop.add(transfer)
            let (head, body) = await withTaskCancellationHandler {
                (await transfer.head(), await transfer.chunk(resume: {}))
            } onCancel: {
                loop.cancel(transfer)
            }
            let response = HTTPResponse(
                head: try hop.check(head), body: try hop.check(body) ?? [])
            guard let next = try hop.next(response.head) else { return response }
            hop = next
        }
    }

    /// Sends a request and returns as soon as the answer's head is there; its body comes piece by piece.
    ///
    /// - Parameters:
    ///   - deadline: For everything up to the head.
    ///   - stallLimit: A body that brings nothing for this long is an error; nil: it may rest for ever.
    /// - Throws: ``HTTPTransportError``: there is no answer.
    package func stream(
        _ request: HTTPRequest, deadline: Duration, stallLimit: Duration? = nil
    ) async throws(HTTPTransportError) -> HTTPStream {
        var hop = try Hop(request)
        let end = ContinuousClock.now + deadline
        while true {
            let transfer = Transfer(
                hop.request, url: hop.url, delivery: .stream(waitingBytesMax: Self.waitingBytesMax), deadline: end,
                patience: deadline, stallLimit: stallLimit)
            loop.add(transfer)
            let result = await withTaskCancellationHandler {
                await transfer.head()
            } onCancel: {
                loop.cancel(transfer)
            }
            let head = try hop.check(result)
            let stream = HTTPStream(head: head, body: HTTPBody(transfer, loop))
            guard let next = try hop.next(head) else { return stream }
            hop = next
        }
    }
}

/// One step of a chain of redirects.
private struct Hop {
    var request: HTTPRequest
    let url: RequestURL
    private var count = 0

    init(_ request: HTTPRequest) throws(HTTPTransportError) {
        guard let url = RequestURL(request.url) else {
            throw HTTPTransportError(
                method: request.method, url: RequestURL.redacted(request.url),
                cause: .invalidRequest("not an http or https URL"))
        }
        self.request = request
        self.url = url
    }

    private init(_ request: HTTPRequest, url: RequestURL, count: Int) {
        self.request = request
        self.url = url
        self.count = count
    }

    func check<T>(_ result: Result<T, HTTPTransportError.Cause>) throws(HTTPTransportError) -> T {
        switch result {
        case .success(let value): return value
        case .failure(let cause): throw error(cause)
        }
    }

    private func error(_ cause: HTTPTransportError.Cause) -> HTTPTransportError {
        HTTPTransportError(method: request.method, url: url.description, cause: cause)
    }

    /// Where an answer sends us. Nil: it is the answer.
    func next(_ head: HTTPHead) throws(HTTPTransportError) -> Hop? {
        guard request.followsRedirects, [301, 302, 303, 307, 308].contains(head.status),
            let location = head.fields["Location"], !location.isEmpty
        else { return nil }
        guard count < HTTPClient.redirectsMax else { throw error(.tooManyRedirects(max: HTTPClient.redirectsMax)) }
        guard let target = url.resolving(location) else {
            throw error(.invalidRequest("redirected to something that is not an http or https URL"))
        }
        var request = request
        request.url = target.text
        if head.status < 307, request.method != "GET", request.method != "HEAD" {
            request.method = "GET"
            request.body = nil
            request.fields.removeAll { $0.isNamed("Content-Type") }
        }
        if !url.shares(credentialsWith: target) {
            request.authentication = .none
            request.fields.removeAll { field in
                field.isSensitive || ["Authorization", "Cookie", "Host"].contains { field.isNamed($0) }
            }
        }
        return Hop(request, url: target, count: count + 1)
    }
}
