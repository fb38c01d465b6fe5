//
// CollectorUnion.swift: decides, from what each source said last, who the collectors are.
//
// A value without I/O. A source that fails, or suddenly names nobody, keeps what it said before: taking every collector
// away by mistake would move every target.
//

import AllocationCore

/// The sources' latest states and their union.
struct CollectorUnion: Sendable {
    private struct Part {
        var collectors: [Collector] = []
        var isSynchronised = false
        var error: String?
    }

    private var parts: [String: Part] = [:]
    /// In the order in which evidence is told.
    private let order: [String]
    private var last: CollectorSet?

    /// - Parameter sources: What the sources are called in evidence: `static`, `file …`, `dns …`.
    init(sources: [String]) {
        order = sources
        for source in sources { parts[source] = Part() }
    }

    /// Takes what a source says now.
    ///
    /// - Returns: The set to tell, when it differs from the one told before.
    mutating func take(_ result: Result<[Collector], CollectorSourceError>, from source: String) -> CollectorSet? {
        switch result {
        case .success(let collectors) where collectors.isEmpty:
            parts[source]?.error = "\(source): names no collector"
        case .success(let collectors):
            parts[source] = Part(collectors: collectors, isSynchronised: true)
        case .failure(let error):
            parts[source]?.error = "\(source): \(error)"
        }
        let set = set()
        guard set != last else { return nil }
        last = set
        return set
    }

    private func set() -> CollectorSet {
        var byName: [String: Collector] = [:]
        for source in order {
            for collector in parts[source]?.collectors ?? [] {
                if let known = byName[collector.name] {
                    byName[collector.name]?.nodeName = known.nodeName ?? collector.nodeName
                } else {
                    byName[collector.name] = collector
                }
            }
        }
        let evidence = order.map { source in
            let part = parts[source] ?? Part()
            guard part.isSynchronised else { return "\(source): not read yet" }
            return "\(source): \(part.collectors.count) collectors"
        }
        let errors = order.compactMap { parts[$0]?.error }
        return CollectorSet(
            collectors: byName.values.sorted { ByteOrder.precedes($0.name, $1.name) },
            isSynchronised: parts.values.allSatisfy(\.isSynchronised), evidence: evidence.joined(separator: "; "),
            error: errors.isEmpty ? nil : errors.joined(separator: "; "))
    }
}
