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
    /// The job's name, still encoded.
    case targets(job: Substring.UTF8View.SubSequence)
    case metrics
    case livez
    case readyz

    package static func == (a: StandardRoute, b: StandardRoute) -> Bool {
        if case .targets(let left) = a, case .targets(let right) = b { return left.elementsEqual(right) }
        return a.pattern == b.pattern
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(pattern) }

    /// The route's name in metrics.
    package var pattern: RoutePattern {
        switch self {
        case .index: .index
        case .scrapeConfigs: .scrapeConfigs
        case .jobs: .jobs
        case .targets: .targets
        case .metrics: .metrics
        case .livez: .livez
        case .readyz: .readyz
        }
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
}

/// A request target taken apart.
package struct StandardTarget: Sendable {
    package enum Match: Sendable, Hashable {
        case route(StandardRoute)
        /// A route with a slash too many; where to go instead, query included.
        case redirect(to: String)
        case nothing
    }

    package let match: Match
    /// Behind the question mark, still encoded; empty without one.
    package let query: Substring

    package init(_ rawTarget: String) {
        let target = Self.withoutOrigin(rawTarget)
        let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        let path = target[..<mark]
        query = mark == target.endIndex ? "" : target[target.utf8.index(after: mark)...]
        if let route = Self.route(path) {
            match = .route(route)
        } else if path != "//", path.utf8.last == UInt8(ascii: "/"), Self.route(path.dropLast()) != nil {
            match = .redirect(to: String(path.dropLast()) + target[mark...])
        } else {
            match = .nothing
        }
    }

    /// The first value of a query parameter; nil when it is not given.
    package func parameter(_ name: String) throws(QueryComponent.DecodingError) -> String? {
        for pair in query.utf8.split(separator: UInt8(ascii: "&")) {
            let mark = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard Self.isName(pair[..<mark], name) else { continue }
            return try QueryComponent.decoded(mark == pair.endIndex ? pair[mark...] : pair[mark...].dropFirst())
        }
        return nil
    }

    private static func isName(_ encoded: Substring.UTF8View.SubSequence, _ name: String) -> Bool {
        if encoded.elementsEqual(name.utf8) { return true }
        guard encoded.contains(UInt8(ascii: "%")) else { return false }
        return (try? QueryComponent.decoded(encoded)) == name
    }

    private static func route(_ path: Substring) -> StandardRoute? {
        switch path {
        case "/": return .index
        case "/scrape_configs": return .scrapeConfigs
        case "/jobs": return .jobs
        case "/metrics": return .metrics
        case "/livez": return .livez
        case "/readyz": return .readyz
        default: break
        }
        let bytes = path.utf8
        guard bytes.starts(with: "/jobs/".utf8) else { return nil }
        let rest = bytes.dropFirst(6)
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")), slash != rest.startIndex,
            rest[slash...].elementsEqual("/targets".utf8)
        else { return nil }
        return .targets(job: rest[..<slash])
    }

    /// A proxy may send `http://host/path`.
    private static func withoutOrigin(_ target: String) -> Substring {
        guard target.utf8.first != UInt8(ascii: "/"), let scheme = target.firstRange(of: "://") else {
            return target[...]
        }
        let rest = target[scheme.upperBound...]
        guard let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/")) else { return "/" }
        return rest[slash...]
    }
}
