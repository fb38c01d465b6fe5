//
// StandardResponder.swift: the standard API as a function from request to answer.
//
// Decides nothing about targets: it renders the published snapshot. It never waits, so the event loop may call it; what
// would take long there (rendering or compressing something large, pages, metrics) it declines, and the caller asks
// again from a task. Source: spec/target-allocator.md 4, design/product.md "Standard API".
//

import AllocationCore
import AllocationLedger
import AllocatorRuntime
import NIOCore
import Synchronization
import Telemetry

/// Answers requests of the standard API.
package final class StandardResponder: Sendable {
    /// Who is asking, which bounds how long the answer may take.
    package enum Caller: Sendable {
        /// Nothing that takes longer than about a millisecond; the answer may be nil.
        case eventLoop
        /// Anything; there is always an answer.
        case task
    }

    let publisher: SnapshotPublisher
    let metrics: MetricsRegistry
    let cache: AnswerCache
    /// Whether `/scrape_configs` shows secrets: the listener speaks TLS, or was told to.
    let showsSecrets: Bool
    /// Which pages its pages may lead to.
    let site: PageSite
    let documents = Mutex(DocumentAnswers())
    /// Nil: who fetched what is not recorded.
    let deliveries: DeliveryLog?

    /// - Parameters:
    ///   - cache: Shared by all listeners of the process.
    ///   - hasHistory: The history's pages can be reached from this listener.
    package init(
        publisher: SnapshotPublisher, metrics: MetricsRegistry, cache: AnswerCache, showsSecrets: Bool,
        deliveries: DeliveryLog? = nil,
        hasHistory: Bool = false
    ) {
        site = PageSite(hasStandard: true, hasHistory: hasHistory)
        self.publisher = publisher
        self.metrics = metrics
        self.cache = cache
        self.showsSecrets = showsSecrets
        self.deliveries = deliveries
    }

    /// The answer; nil only for ``Caller/eventLoop``, which then has to ask from a task.
    package func respond(to request: StandardRequest, for caller: Caller) -> PreparedResponse? {
        let target = StandardTarget(request.target)
        // Other routes than these may know the path, and they are not asked on the event loop.
        if caller == .eventLoop, target == .nothing || target.asksThePast { return nil }
        guard request.method == .get else { return refusal(of: request.method, target) }
        switch target {
        case .nothing: return Self.notFound
        case .redirect(let location): return Self.redirect(301, to: location)
        case .past: return Self.noPast
        case .route(.livez): return PreparedResponse(200, .livez)
        case .route(.readyz): return readiness()
        case .route(.metrics): return caller == .task ? metricsText(request) : nil
        case .route(.index): return caller == .task ? index() : nil
        case .route(.debug(let page, let query)): return caller == .task ? debug(page, query: query) : nil
        case .route(.asset(let path)): return StaticFile.at(path)?.response(request) ?? Self.notFound
        case .route(.scrapeConfigs): return scrapeConfigs(request, caller)
        case .route(.jobs): return jobs(request, caller)
        case .route(.targets(let question)): return targets(question, request, caller)
        }
    }

    /// Every route is GET only, and what is not found is 404 and never 405.
    private func refusal(of method: StandardRequest.Method, _ target: StandardTarget) -> PreparedResponse {
        var response = Self.notFound
        if case .redirect(let location) = target { response = Self.redirect(307, to: location) }
        response.omitsBody = method == .head
        return response
    }

    // MARK: Answers without state

    private static let notFound = PreparedResponse(
        404, .none, .text, .bytes(ByteBuffer(string: "404 page not found")))

    /// Whoever has the history answers this before it comes here.
    private static let noPast = ProblemDetails(
        status: 404, title: "Not Found",
        detail: "This listener does not tell the past; the history API has a listener of its own, or is off.",
        parameter: "at"
    ).response(.none)

    private static func redirect(_ status: Int, to location: String) -> PreparedResponse {
        var response = PreparedResponse(status, .none)
        response.location = location
        return response
    }

    private func readiness() -> PreparedResponse {
        let status = publisher.status
        var reasons = status.reasonsNotReady
        if publisher.current == nil, reasons.isEmpty { reasons = ["no state has been published yet"] }
        guard reasons.isEmpty else { return ProblemDetails.notReady(reasons: reasons).response(.readyz) }
        // Ready all the same when it is old: an old allocation is better than none, and every replica would be as old.
        let parts =
            ["ready", status.roleDescription, publisher.replica?.pollingReason.map { "polling: \($0)" }].compactMap(
                \.self)
            + (status.staleness.map {
                ["nothing new has been recorded for \(Self.secondsSince($0.since)) s: \($0.reason)"]
            } ?? [])
        guard parts.count > 1 else { return PreparedResponse(200, .readyz) }
        let text = parts.joined(separator: "; ") + "\n"
        return PreparedResponse(200, .readyz, .text, .bytes(ByteBuffer(string: text)))
    }

    private static func secondsSince(_ instant: ContinuousClock.Instant) -> Int64 {
        max(0, (ContinuousClock.now - instant).components.seconds)
    }

    private func metricsText(_ request: StandardRequest) -> PreparedResponse {
        let text = ByteBuffer(bytes: metrics.exposition())
        var response = PreparedResponse(200, .metrics, .metrics, .bytes(text))
        if request.acceptsGzip, let compressed = Gzip.compress(text, effort: .fast) {
            response.body = .bytes(compressed)
            response.isGzip = true
        }
        return response
    }

    // MARK: Answers from state

    func noState(_ route: RoutePattern) -> PreparedResponse {
        ProblemDetails.noState(reasons: publisher.status.reasonsNotReady).response(route)
    }

    /// Marks an answer with the state it comes from.
    func stamp(_ response: PreparedResponse, _ snapshot: AllocationSnapshot) -> PreparedResponse {
        var response = response
        response.revision = snapshot.head.revision
        response.journal = snapshot.journal?.ordinal
        response.staleSeconds = publisher.staleSince.map(Self.secondsSince)
        return response
    }

    /// Bodies this small are not worth compressing.
    private static let gzipBytesMin = 1024
    /// What the event loop compresses itself: a quarter of a millisecond.
    private static let eventLoopGzipBytesMax = 64 * 1024
    /// What the event loop renders itself: about a millisecond.
    static let eventLoopRenderBytesMax = 1 << 20

    private func wantsGzip(_ request: StandardRequest, _ answer: PreparedAnswer) -> Bool {
        request.acceptsGzip && (Self.gzipBytesMin...cache.bodyBytesMax).contains(answer.byteCount)
    }

    /// A 304 if the client has this answer already.
    func notModified(
        _ request: StandardRequest, _ answer: PreparedAnswer, _ route: RoutePattern, _ snapshot: AllocationSnapshot
    ) -> PreparedResponse? {
        guard let known = request.ifNoneMatch else { return nil }
        let etag = wantsGzip(request, answer) ? answer.gzipETag : answer.etag
        guard etag.isNamed(by: known) else { return nil }
        var response = PreparedResponse(304, route)
        response.etag = etag
        return stamp(response, snapshot)
    }

    /// The answer with its body, compressed if the client takes that.
    func deliver(
        _ answer: PreparedAnswer, _ plain: ByteBuffer, _ request: StandardRequest, _ route: RoutePattern,
        _ snapshot: AllocationSnapshot, _ caller: Caller, effort: Gzip.Effort = .fast
    ) -> PreparedResponse? {
        if let unchanged = notModified(request, answer, route, snapshot) { return unchanged }
        var response = PreparedResponse(200, route, .json, .bytes(plain))
        response.etag = answer.etag
        if wantsGzip(request, answer) {
            if answer.gzip == nil, caller == .eventLoop, plain.readableBytes > Self.eventLoopGzipBytesMax { return nil }
            if let compressed = answer.gzip ?? Gzip.compress(plain, effort: effort) {
                answer.keep(gzip: compressed)
                response.body = .bytes(compressed)
                response.etag = answer.gzipETag
                response.isGzip = true
            }
        }
        return stamp(response, snapshot)
    }
}
