//
// WhyPage.swift: `/history/why`: the decision that put a target where it was.
//

import AllocationCore
import AllocationLedger
import PostgresDriver

enum WhyPage {
    static let route = PageRoute(
        path: "/history/why",
        parameters: [
            HistoryParameter(name: "target", form: .identity, description: "The target's identity.").required(), .job,
            .at,
        ]
    ) { asked, connection in
        guard let identity = try asked.question.identity("target") else {
            throw ProblemDetails.badParameter("target", "is missing")
        }
        let point = try await asked.question.moment().resolve(connection)
        let decision = try await WhyQuery(identity: identity, job: asked.question.text("job"), at: point).run(
            connection)
        let name = decision.target.address.isEmpty ? "\(identity.rawValue)" : decision.target.address
        return Page("Why: \(name)", .state(point), at: .targets) {
            Tag.section {
                Tag.p(.class("answer")) { decision.sentence }
                ways(decision)
            }
            Tag.section {
                Form.leading(to: Link("/history/why"), "Show") {
                    Form.hidden("target", "\(identity.rawValue)")
                    Form.hidden("job", decision.target.job)
                    Form.instant("at", "At another time", asked.value("at"))
                }
            }
            Parts.section("Who and what") { Parts.facts(facts(decision)) }
            if !decision.collectorEvents.isEmpty {
                Parts.section("Collectors that changed with it") {
                    EventParts.collectorEvents(decision.collectorEvents, "In the same revision", ifEmpty: "None.")
                }
            }
            if let ring = decision.ring { ringSection(ring) }
        }
    }

    private static func ways(_ decision: Decision) -> HTML {
        Tag.p(.class("pager")) {
            Parts.button("The whole story", HistoryLink.target(decision.target))
            if let event = decision.event { Parts.button("The revision", HistoryLink.revision(event.revision)) }
        }
    }

    private static func facts(_ decision: Decision) -> [(name: String, value: HTML?)] {
        [
            ("Target", Parts.name(decision.target.address)), ("Job", EventParts.job(decision.target.job)),
            ("Identity", Parts.name("\(decision.target.identity.rawValue)")),
            (
                "Collector",
                decision.isPresent ? EventParts.collector(decision.collector) : Parts.badge("was not there", .bad)
            ), ("Since", decision.event.map { moment($0.at, $0.revision) }),
            ("Until", decision.until.map { moment($0.at, $0.revision.number) }),
            ("Before that", decision.event.map { EventParts.collector($0.from) }),
            ("Event", decision.event.map { EventParts.kinds($0.kinds) }),
            ("Reason", decision.event.map { EventParts.reason($0) }),
            ("Cause", decision.event.map { EventParts.cause($0.cause, $0.causeDetail) }),
            ("Strategy", decision.revision.map { HTML($0.strategy) }),
            ("Load then", decision.balance.map { HTML($0.sentence) }),
            (
                "Written by",
                decision.revision.map { HTML("\($0.replicaAddress ?? "\($0.replica)"), in term \($0.epoch)") }
            ),
        ]
    }

    private static func moment(_ at: Timestamp, _ revision: Int64) -> HTML {
        HTML {
            TimeText.html(at)
            " · revision "
            EventParts.revision(revision)
        }
    }

    private static func ringSection(_ ring: Decision.Ring) -> HTML {
        Parts.section("How the ring came to it") {
            if !ring.isReproduced {
                Parts.notice("Computed again from the recorded members, the ring gives another owner.", isBad: true)
            }
            Parts.facts([
                ("Ring", HTML(ring.version)), ("Hashed", Parts.name(ring.key)),
                ("XXH64", Parts.name(hexadecimal(ring.hash))), ("Partition", HTML("\(ring.partition) of 1061")),
                ("Its owner", EventParts.collector(ring.owner)),
                ("Natural owner", ring.walk.map { EventParts.collector($0.naturalOwner) }),
                ("Passed as full", ring.walk.map { passed($0) }),
                ("Partitions at most", ring.walk.map { HTML("\($0.loadMax) for one collector") }),
                ("Owner had already", ring.walk.map { HTML(NumberText.counted($0.ownerLoad, "partition")) }),
                ("Owner before", ring.membersBefore.map { _ in EventParts.collector(ring.ownerBefore) }),
                (
                    "Members (\(ring.members.count))",
                    Parts.names(ring.members) { HistoryLink.collector($0) }
                ), ("Note", ring.note.map { HTML($0) }), ("Rule", Parts.name("\(ring.digest)")),
                (
                    "Computed again",
                    ring.isReproduced ? Parts.badge("the same owner", .good) : Parts.badge("another owner", .bad)
                ),
            ])
        }
    }

    private static func passed(_ walk: ConsistentHashRing.Explanation) -> HTML {
        walk.passed.isEmpty
            ? HTML("none: the natural owner had room")
            : Parts.names(walk.passed.map { "\($0.member) (\($0.load))" })
    }

    private static func hexadecimal(_ hash: UInt64) -> String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
