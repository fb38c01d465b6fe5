//
// StandardRoute.swift: which answer a request target asks for.
//
// Source: spec/target-allocator.md 4.1 and 4.2. The path is compared while still encoded, so a job's name with an
// encoded slash is one segment.
//

/// The routes of the standard API.
package enum StandardRoute: Sendable, Hashable {
    case index
    case scrapeConfigs
    case jobs
    case targets(TargetsQuestion)
    case metrics
    case livez
    case readyz
    /// One of upstream's pages, with its query as it came.
    case debug(DebugPage, query: String)
    /// What pages refer to, by its path.
    case asset(String)
}

/// What `/jobs/{job}/targets` is asked for.
package struct TargetsQuestion: Sendable, Hashable {
    package var job: Result<String, QueryComponent.DecodingError>
    /// The first `collector_id`; nil when there is none.
    package var collector: Result<String?, QueryComponent.DecodingError>

    package init(
        job: Result<String, QueryComponent.DecodingError>,
        collector: Result<String?, QueryComponent.DecodingError> = .success(nil)
    ) {
        self.job = job
        self.collector = collector
    }
}

/// Routes as upstream names them in `opentelemetry_allocator_http_duration_seconds`.
package enum RoutePattern: String, Sendable, CaseIterable {
    /// No route: answered 404.
    case none = ""
    case index = "/"
    case scrapeConfigs = "/scrape_configs"
    case jobs = "/jobs"
    case targets = "/jobs/:job_id/targets"
    case metrics = "/metrics"
    case livez = "/livez"
    case readyz = "/readyz"
    case debugJobs = "/debug/jobs"
    case debugJob = "/debug/job"
    case debugTargets = "/debug/targets"
    case debugTarget = "/debug/target"
    case debugCollector = "/debug/collector"
    case debugScrapeConfigs = "/debug/scrape_configs"
    case asset = "/assets/:name"
}

/// What a request target leads to.
package enum StandardTarget: Sendable, Hashable {
    case route(StandardRoute)
    /// A route for a moment of the past, which the query names.
    case past(StandardRoute)
    /// A route with a slash too many; where to go instead, query included.
    case redirect(to: String)
    case nothing

    /// Whether the history has to answer.
    var asksThePast: Bool { if case .past = self { true } else { false } }

    package init(_ rawTarget: String) {
        var rawTarget = rawTarget
        self = rawTarget.withUTF8 { Self.read(UnsafeRawBufferPointer($0)) }
    }

    private static func read(_ rawTarget: UnsafeRawBufferPointer) -> StandardTarget {
        let target = withoutOrigin(rawTarget)
        let mark = ASCII.firstIndex(of: UInt8(ascii: "?"), in: target) ?? target.count
        let path = ASCII.cut(target, 0, mark)
        let query = ASCII.cut(target, min(mark + 1, target.count), target.count)
        if let route = route(path, query) { return asksThePast(route, query) ? .past(route) : .route(route) }
        guard path.count > 2, path[path.count - 1] == UInt8(ascii: "/") else { return .nothing }
        let shorter = ASCII.cut(path, 0, path.count - 1)
        guard route(shorter, query) != nil else { return .nothing }
        let location = Array(shorter) + ASCII.cut(target, mark, target.count)
        return .redirect(to: String(decoding: location, as: UTF8.self))
    }

    private static func route(_ path: UnsafeRawBufferPointer, _ query: UnsafeRawBufferPointer) -> StandardRoute? {
        if ASCII.hasPrefix(path, "/jobs/") {
            let rest = ASCII.cut(path, 6, path.count)
            guard let slash = ASCII.firstIndex(of: UInt8(ascii: "/"), in: rest), slash > 0,
                ASCII.isEqual(ASCII.cut(rest, slash, rest.count), "/targets")
            else { return nil }
            return .targets(
                TargetsQuestion(
                    job: decoded(ASCII.cut(rest, 0, slash)), collector: parameter("collector_id", of: query)))
        }
        if ASCII.isEqual(path, "/scrape_configs") { return .scrapeConfigs }
        if ASCII.isEqual(path, "/jobs") { return .jobs }
        if ASCII.isEqual(path, "/livez") { return .livez }
        if ASCII.isEqual(path, "/readyz") { return .readyz }
        if ASCII.isEqual(path, "/metrics") { return .metrics }
        if ASCII.isEqual(path, "/") { return .index }
        if ASCII.hasPrefix(path, "/debug/") {
            return DebugPage(rawValue: String(decoding: path, as: UTF8.self)).map {
                .debug($0, query: String(decoding: query, as: UTF8.self))
            }
        }
        if ASCII.hasPrefix(path, "/assets/") {
            return StaticFile.at(String(decoding: path, as: UTF8.self)).map { .asset($0.path) }
        }
        return nil
    }

    // MARK: Query

    private static func asksThePast(_ route: StandardRoute, _ query: UnsafeRawBufferPointer) -> Bool {
        guard query.count > 0 else { return false }
        switch route {
        case .jobs, .scrapeConfigs, .targets: break
        case .index, .metrics, .livez, .readyz, .debug, .asset: return false
        }
        var start = 0
        while start < query.count {
            let end = ASCII.firstIndex(of: UInt8(ascii: "&"), in: query, from: start) ?? query.count
            // Every answer to a collector comes by here, and its parameter begins with another letter.
            let first = query[start]
            if first == UInt8(ascii: "a") || first == UInt8(ascii: "r") || first == UInt8(ascii: "%") {
                let pair = ASCII.cut(query, start, end)
                let name = ASCII.cut(pair, 0, ASCII.firstIndex(of: UInt8(ascii: "="), in: pair) ?? pair.count)
                if isName(name, "at") || isName(name, "revision") { return true }
            }
            start = end + 1
        }
        return false
    }

    private static func parameter(
        _ name: StaticString, of query: UnsafeRawBufferPointer
    ) -> Result<String?, QueryComponent.DecodingError> {
        var start = 0
        while start < query.count {
            let end = ASCII.firstIndex(of: UInt8(ascii: "&"), in: query, from: start) ?? query.count
            let pair = ASCII.cut(query, start, end)
            let mark = ASCII.firstIndex(of: UInt8(ascii: "="), in: pair) ?? pair.count
            if isName(ASCII.cut(pair, 0, mark), name) {
                return decoded(ASCII.cut(pair, min(mark + 1, pair.count), pair.count)).map { $0 }
            }
            start = end + 1
        }
        return .success(nil)
    }

    private static func isName(_ encoded: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        if ASCII.isEqual(encoded, name) { return true }
        guard encoded.contains(UInt8(ascii: "%")) else { return false }
        return (try? QueryComponent.decoded(encoded)) == name.description
    }

    private static func decoded(
        _ bytes: UnsafeRawBufferPointer
    ) -> Result<String, QueryComponent.DecodingError> {
        do { return .success(try QueryComponent.decoded(bytes)) } catch { return .failure(error) }
    }

    /// A proxy may send `http://host/path`.
    private static func withoutOrigin(_ target: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard target.first != UInt8(ascii: "/") else { return target }
        let start =
            if ASCII.hasPrefix(target, "http://") { 7 } else if ASCII.hasPrefix(target, "https://") { 8 } else { -1 }
        guard start > 0 else { return target }
        guard let slash = ASCII.firstIndex(of: UInt8(ascii: "/"), in: target, from: start) else {
            return UnsafeRawBufferPointer(start: root.utf8Start, count: root.utf8CodeUnitCount)
        }
        return ASCII.cut(target, slash, target.count)
    }

    private static let root: StaticString = "/"
}
