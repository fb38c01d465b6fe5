//
// InstantArgument.swift: a moment as people give it on a command line.
//

import AllocationLedger
import ArgumentParser
import PostgresDriver
import PrometheusConfig

/// A moment: how long ago (`2h`, `3d`), RFC 3339 (`2026-11-20T03:12:00Z`), date and time in UTC (`2026-11-20 03:12`), or
/// a revision's number.
struct InstantArgument: ExpressibleByArgument, Equatable {
    enum Meaning: Equatable {
        case ago(Duration)
        case at(Timestamp)
        case revision(Revision)
    }

    let meaning: Meaning

    /// What help texts say of it.
    static let spelling = "2h (ago), 2026-11-20 03:12 (UTC), RFC 3339, or a revision's number"

    /// A night and the day before it.
    static let aDayAgo = InstantArgument(meaning: .ago(.seconds(86_400)))

    private init(meaning: Meaning) { self.meaning = meaning }

    init?(argument: String) {
        if !argument.isEmpty, argument.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(argument),
            number > 0
        {
            meaning = .revision(Revision(number))
            return
        }
        if let ago = try? PrometheusDuration(parsing: argument) {
            meaning = .ago(ago.duration)
            return
        }
        // What people leave out: the seconds, the time of day, the zone.
        for suffix in ["", "Z", ":00Z", " 00:00:00Z"] {
            if let instant = Timestamp(rfc3339: argument + suffix) {
                meaning = .at(instant)
                return
            }
        }
        return nil
    }

    func instant(now: Timestamp) -> Instant {
        switch meaning {
        case .ago(let duration): .time(now.advanced(by: .zero - duration))
        case .at(let instant): .time(instant)
        case .revision(let revision): .revision(revision)
        }
    }

    /// The moment itself; a revision's is when it was recorded.
    func timestamp(_ connection: isolated PostgresConnection) async throws -> Timestamp {
        let instant = instant(now: .now())
        if case .time(let time) = instant { return time }
        return try await instant.resolve(connection).at
    }
}

extension InstantArgument? {
    /// The revision in force then; the latest when no moment is given.
    func resolve(_ connection: isolated PostgresConnection) async throws -> RevisionPoint {
        try await (self?.instant(now: .now()) ?? .latest).resolve(connection)
    }
}
