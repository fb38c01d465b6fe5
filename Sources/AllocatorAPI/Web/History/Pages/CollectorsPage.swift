//
// CollectorsPage.swift: `/history/collectors`: who there was at a moment, and how much each had.
//

import AllocationLedger
import PostgresDriver

enum CollectorsPage {
    static let route = PageRoute(path: "/history/collectors", parameters: [.at]) { asked, connection in
        let point = try await asked.question.moment().resolve(connection)
        asked.settle()
        let answer = try await CollectorsQuery(at: point).run(connection)
        return Page("Collectors", .state(point), at: .collectors) {
            Tag.section {
                Form.leading(to: Link("/history/collectors"), "Show") {
                    Form.instant("at", "At", asked.value("at"))
                }
            }
            Parts.numbers([
                (NumberText.grouped(answer.collectors.filter(\.isPresent).count), "collectors"),
                (NumberText.grouped(answer.collectors.filter { $0.isPresent && !$0.isReady }.count), "not ready"),
                (NumberText.grouped(answer.targets), "targets"),
                (NumberText.grouped(answer.unassignedTargets), "without a collector"),
            ])
            Tag.section { table(answer, point, asked.value("at")).html(answer.collectors) }
        }
    }

    private static func table(
        _ answer: CollectorsQuery.Answer, _ point: RevisionPoint, _ at: String
    ) -> DataTable<CollectorState> {
        let most = Double(answer.collectors.map(\.targets).max() ?? 0)
        return DataTable(
            "Collectors and what each had", ifEmpty: "There was no collector.",
            [
                .init("Collector") { EventParts.collector($0.name) }, .init("State") { state($0) },
                .init("Targets", number: true) { collector in
                    Parts.link(
                        NumberText.grouped(collector.targets),
                        Link("/history/targets", ["collector": collector.name, "at": "\(point.revision)"]))
                }, .init("Share") { ShareBar(Double($0.targets), of: most).html },
                .init("Node") { Parts.optional($0.node) },
                .init("Joined") { collector in
                    guard let joined = collector.joined else { return Parts.none }
                    return HTML {
                        TimeText.html(joined.at)
                        " · "
                        EventParts.revision(joined.revision.number)
                    }
                }, .init("Evidence") { Parts.optional($0.evidence) },
            ])
    }

    static func state(_ collector: CollectorState) -> HTML {
        if !collector.isPresent { return Parts.badge("left", .bad) }
        return collector.isReady ? Parts.badge("ready", .good) : Parts.badge("not ready", .warning)
    }
}
