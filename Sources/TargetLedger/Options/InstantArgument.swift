//
// InstantArgument.swift: a moment as people give it on a command line.
//

import ArgumentParser
import PostgresDriver
import PrometheusConfig

/// A moment: how long ago (`2h`, `3d`), RFC 3339 (`2026-11-20T03:12:00Z`), or date and time in UTC (`2026-11-20 03:12`).
struct InstantArgument: ExpressibleByArgument, Equatable {
    enum Meaning: Equatable {
        case ago(Duration)
        case at(Timestamp)
    }

    let meaning: Meaning

    init?(argument: String) {
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

    func timestamp(now: Timestamp) -> Timestamp {
        switch meaning {
        case .ago(let duration): now.advanced(by: .zero - duration)
        case .at(let instant): instant
        }
    }
}
