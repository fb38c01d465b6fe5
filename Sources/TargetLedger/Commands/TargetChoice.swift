//
// TargetChoice.swift: which targets a person means by an identity or by a part of an address.
//

import AllocationCore
import AllocationLedger
import PostgresDriver

/// An address within a job, which stays the same when labels, and so the identity, change.
struct Endpoint: Hashable {
    var job: String
    var address: String
    /// The identity that was named, or the first one recorded.
    var identity: TargetIdentity

    static func == (a: Endpoint, b: Endpoint) -> Bool { a.job == b.job && a.address == b.address }

    func hash(into hasher: inout Hasher) {
        hasher.combine(job)
        hasher.combine(address)
    }

    init(_ target: RecordedTarget) { (job, address, identity) = (target.job, target.address, target.identity) }

    /// All its identities, as one. Without an address nothing holds them together but the identity.
    var subject: TargetHistoryQuery.Subject {
        address.isEmpty ? .target(identity, job: job) : .endpoint(job: job, address: address)
    }
}

enum TargetChoice {
    /// Endpoints that are shown together.
    static let endpointsMax = 100

    /// The identity that is meant; nil when the text is none that was ever recorded.
    static func identity(
        _ text: String, job: String?, _ connection: isolated PostgresConnection
    ) async throws -> TargetIdentity? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(text) else {
            return nil
        }
        let identity = TargetIdentity(rawValue: number)
        return try await TargetLookup.find(identity: identity, job: job, connection).isEmpty ? nil : identity
    }

    /// The endpoints that are meant: those of an identity; else the one whose address this is; else all whose address it
    /// is a part of.
    ///
    /// - Throws: ``HistoryError/unknown(_:)``; ``CommandFailure`` of wrong use for more than ``endpointsMax``.
    static func endpoints(
        _ text: String, job: String?, _ connection: isolated PostgresConnection
    ) async throws -> [Endpoint] {
        if let identity = try await identity(text, job: job, connection) {
            return try await TargetLookup.find(identity: identity, job: job, connection).map { Endpoint($0) }
        }
        var exact: [Endpoint] = []
        var partial: [Endpoint] = []
        var seen: Set<Endpoint> = []
        var after: Int32 = 0
        while true {
            let targets = try await TargetLookup.search(
                address: text, job: job, after: after, limit: PageLimit.rowsMax, connection)
            for target in targets where partial.count <= endpointsMax || target.address == text {
                let endpoint = Endpoint(target)
                guard seen.insert(endpoint).inserted else { continue }
                if target.address == text { exact.append(endpoint) } else { partial.append(endpoint) }
            }
            guard targets.count == PageLimit.rowsMax, let last = targets.last else { break }
            after = last.number
        }
        let endpoints = exact.isEmpty ? partial : exact
        guard !endpoints.isEmpty else { throw unknown(text, job: job) }
        guard endpoints.count <= endpointsMax else {
            throw CommandFailure(
                .wrongUse,
                "more than \(endpointsMax) addresses hold \(String(reflecting: text)); name more of it, or the job")
        }
        return endpoints
    }

    static func unknown(_ text: String, job: String?) -> HistoryError {
        .unknown("a target \(String(reflecting: text))" + (job.map { " of job \($0)" } ?? ""))
    }

    /// The one target that was there then; where none was, the latest one that is meant.
    ///
    /// - Throws: ``HistoryError/unknown(_:)``; ``CommandFailure`` of wrong use, with what to choose from, for several.
    static func target(
        _ text: String, job: String?, at point: RevisionPoint, _ connection: isolated PostgresConnection
    ) async throws -> (identity: TargetIdentity, job: String?) {
        if let identity = try await identity(text, job: job, connection) { return (identity, job) }
        var query = StateQuery(at: point, job: job, address: text, withLabels: false, limit: PageLimit.rowsMax)
        var present: [RecordedTarget] = []
        _ = try await Paging.read(rowsMax: nil) { limit, after in
            query.limit = limit
            query.after = after
            return try await query.run(connection)
        } _: { page in
            // As many as are listed, and whatever is meant exactly.
            present += page.lazy.map(\.target).filter { present.count <= listedMax || $0.address == text }
        }
        let exact = present.filter { $0.address == text }
        let meant = exact.isEmpty ? present : exact
        guard meant.count < 2 else { throw ambiguous(text, meant) }
        if let target = meant.first { return (target.identity, target.job) }
        let endpoints = try await endpoints(text, job: job, connection)
        guard endpoints.count == 1, let endpoint = endpoints.first else {
            throw CommandFailure(
                .wrongUse,
                "no target \(String(reflecting: text)) was there at \(point.sentence); the ledger has "
                    + "\(endpoints.count) others: name one by its address and job")
        }
        let latest = try await TargetLookup.find(job: endpoint.job, address: endpoint.address, connection).first
        return (latest?.identity ?? endpoint.identity, endpoint.job)
    }

    private static let listedMax = 10

    private static func ambiguous(_ text: String, _ targets: [RecordedTarget]) -> CommandFailure {
        let lines = targets.prefix(listedMax).map { target in
            "\n  \(target.identity.rawValue)  \(target.address)  job \(target.job)"
        }
        return CommandFailure(
            .wrongUse,
            "\(String(reflecting: text)) is several targets; name one by its identity:\(lines.joined())"
                + (targets.count > listedMax ? "\n  …" : ""))
    }
}
