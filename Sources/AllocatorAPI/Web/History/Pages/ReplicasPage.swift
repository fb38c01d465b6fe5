//
// ReplicasPage.swift: `/history/replicas`: the processes on this ledger, who leads, and how far the others are.
//

import AllocationLedger
import PostgresDriver

enum ReplicasPage {
    static let route = PageRoute(path: "/history/replicas", parameters: []) { _, connection in
        let latest = try await RecordedBounds.read(connection).latest
        let replicas = try await ReplicaQuery().run(connection)
        return Page("Replicas", .recordedUpTo(latest), at: .replicas) {
            Tag.section { table.html(replicas) }
        }
    }

    static let table = DataTable<Replica>(
        "What each process said of itself last", ifEmpty: "No process has been heard of.",
        [
            .init("Address") { Parts.name($0.report.name) },
            .init("State") { replica in
                guard replica.isAlive else { return Parts.badge("not heard of", .bad) }
                switch replica.report.state {
                case .leading: return Parts.badge("leading", .good)
                case .following, .starting, .superseded: return HTML(replica.report.state.rawValue)
                }
            },
            .init("Term", number: true) { replica in replica.report.epoch.map { HTML("\($0)") } ?? HTML("") },
            .init("Revision", number: true) { replica in
                replica.report.applied.map { EventParts.revision($0.revision) } ?? HTML("none")
            },
            .init("Behind", number: true) { replica in
                HTML(replica.report.behindRevisions > 0 ? "\(replica.report.behindRevisions)" : "")
            },
            .init("Hears by") { HTML($0.report.hearing.rawValue) },
            .init("Configuration") { replica in
                Parts.optional(replica.report.configuration?.shortText)
            },
            .init("Since") { TimeText.html($0.startedAt) }, .init("Heard of") { TimeText.html($0.seenAt) },
            .init("Process") { Parts.name("\($0.report.id)") },
        ])
}
