//
// DebugQuestion.swift: which of upstream's `/debug/…` pages is asked for, and with which parameters
// (spec/target-allocator.md 4.6).
//

import AllocationCore

/// Upstream's pages about what is served, by their paths.
package enum DebugPage: String, Sendable, Hashable, CaseIterable {
    case jobs = "/debug/jobs"
    case job = "/debug/job"
    case targets = "/debug/targets"
    case target = "/debug/target"
    case collector = "/debug/collector"
    case scrapeConfigs = "/debug/scrape_configs"

    var route: RoutePattern {
        switch self {
        case .jobs: .debugJobs
        case .job: .debugJob
        case .targets: .debugTargets
        case .target: .debugTarget
        case .collector: .debugCollector
        case .scrapeConfigs: .debugScrapeConfigs
        }
    }
}

/// What a page is asked with.
struct DebugParameters {
    private let pairs: [(name: String, value: String)]

    /// - Parameter query: As it came. Pairs that cannot be decoded count as not given, as upstream has it.
    init(_ query: String) {
        pairs = query.split(separator: "&").compactMap { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(parts[0]) else { return nil }
            guard let value = parts.count == 2 ? Self.decoded(parts[1]) : "" else { return nil }
            return (name, value)
        }
    }

    private static func decoded(_ text: Substring) -> String? {
        var text = String(text)
        return text.withUTF8 { try? QueryComponent.decoded(UnsafeRawBufferPointer($0)) }
    }

    func values(_ name: String) -> [String] { pairs.filter { $0.name == name }.map(\.value) }

    /// - Throws: ``PageError`` unless there is exactly one value.
    func one(_ name: String) throws(PageError) -> String {
        let values = values(name)
        guard values.count == 1, let value = values.first else {
            throw PageError(400, "The parameter \(name) is \(values.isEmpty ? "missing" : "given more than once").")
        }
        return value
    }

    /// A place in the order of identities; 0: the beginning.
    func after() throws(PageError) -> TargetIdentity? {
        guard let text = values("after").first else { return nil }
        guard let number = UInt64(text) else {
            throw PageError(400, "The parameter after is \(String(reflecting: text)); it is a number of 64 bits.")
        }
        return TargetIdentity(rawValue: number)
    }
}

/// Why there is no page to show.
struct PageError: Error {
    let status: Int
    let detail: String

    init(_ status: Int, _ detail: String) {
        self.status = status
        self.detail = detail
    }

    /// Says so on a page.
    func page(_ shows: Page.Shows = .nothing, at place: NavigationEntry? = nil) -> Page {
        Page(Self.title(status), shows, at: place, status: status) {
            Tag.section { Tag.p(.class("answer")) { detail } }
        }
    }

    static func title(_ status: Int) -> String {
        switch status {
        case 400: "Bad request"
        case 401: "Sign in"
        case 404: "Not found"
        case 405: "Method not allowed"
        case 410: "Gone"
        case 503: "Not available now"
        default: "Error \(status)"
        }
    }
}
