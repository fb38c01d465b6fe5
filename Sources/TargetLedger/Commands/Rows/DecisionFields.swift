//
// DecisionFields.swift: the facts of a decision, each with its name.
//

import AllocationCore
import AllocationLedger
import AllocatorAPI

extension RowForm<Decision> {
    static var decision: Self { Self(what + event + ring + balance + rest) }

    private static var what: [Field] {
        [
            Field("address", "Target") { .text($0.target.address) },
            Field("job", "Job") { .text($0.target.job) },
            Field("identity", "Identity") { .text("\($0.target.identity.rawValue)") },
            Field(nil, "At") { .text($0.point.sentence) },
            Field("at_revision") { .number($0.point.revision.number) },
            Field("at_time") { .text("\($0.point.at)") },
            Field("present", "Was there") { .boolean($0.isPresent) },
            Field("collector", "Collector") { .optional($0.collector) },
            Field("labels") { $0.labels.map(Cell.init) ?? .none },
        ]
    }

    private static var event: [Field] {
        [
            Field(nil, "Since") { $0.event.map { .text("revision \($0.revision) of \($0.at)") } ?? .none },
            Field("since_revision") { .optional($0.event?.revision) },
            Field("since_time") { .optional($0.event.map { "\($0.at)" }) },
            Field("previous_collector", "Before that") { .optional($0.previousCollector) },
            Field("event", "Event") { $0.event.map { .list($0.kinds.codes.map(Cell.text)) } ?? .none },
            Field("reason", "Reason") { .optional($0.event?.reason) },
            Field("kind", "Kind") { .optional($0.event?.moveKind?.rawValue) },
            Field("cause", "Cause") { .optional($0.event?.cause) },
            Field("cause_detail", "Detail") {
                .optional($0.event.flatMap { $0.causeDetail.isEmpty ? nil : $0.causeDetail })
            },
            Field(nil, "Collectors changed") { decision in
                decision.collectorEvents.isEmpty ? .none : .text(decision.collectorChanges)
            },
            Field("collector_events") { .list($0.collectorEvents.map(Cell.init)) },
            Field("written_by", "Written by") { .optional($0.revision.map { $0.replicaAddress ?? "\($0.replica)" }) },
            Field("epoch", "In term") { .optional($0.revision?.epoch) },
        ]
    }

    private static var ring: [Field] {
        [
            Field("strategy", "Strategy") { .optional($0.revision?.strategy) },
            Field("ring_version", "Ring") { .optional($0.ring?.version) },
            Field("note", "Note") { .optional($0.ring?.note ?? $0.revision?.placementNote) },
            Field(nil, "Members") { $0.ring.map { .text(Self.shortened($0.members)) } ?? .none },
            Field("members") { $0.ring.map { .list($0.members.map(Cell.text)) } ?? .none },
            Field("members_before") { $0.ring?.membersBefore.map { .list($0.map(Cell.text)) } ?? .none },
            Field("key", "Hashed") { .optional($0.ring?.key) },
            Field("hash", "XXH64") { .optional($0.ring.map { Self.hexadecimal($0.hash) }) },
            Field("partition", "Partition") { .optional($0.ring.map { Int64($0.partition) }) },
            Field("natural_owner", "Natural owner") { .optional($0.ring?.walk?.naturalOwner) },
            Field(nil, "Passed as full") { decision in
                let passed = decision.ring?.walk?.passed ?? []
                return passed.isEmpty ? .none : .text(Self.shortened(passed.map { "\($0.member) (\($0.load))" }))
            },
            Field("passed") { $0.ring?.walk.map { .list($0.passed.map(Cell.init)) } ?? .none },
            Field("steps", "Positions passed") { .optional($0.ring?.walk.map { Int64($0.steps) }) },
            Field("load_max", "Partitions at most") { .optional($0.ring?.walk.map { Int64($0.loadMax) }) },
            Field("owner_load", "Owner had already") { .optional($0.ring?.walk.map { Int64($0.ownerLoad) }) },
            Field("owner", "Partition's owner") { .optional($0.ring?.owner) },
            Field("owner_before", "Its owner before") { .optional($0.ring?.ownerBefore) },
            Field("reproduced", "Computed again") { $0.ring.map { .boolean($0.isReproduced) } ?? .none },
        ]
    }

    private static var balance: [Field] {
        [
            Field(nil, "Load then") { $0.balance.map { .text($0.sentence) } ?? .none },
            Field("collectors_then") { .optional($0.balance.map { Int64($0.collectors) }) },
            Field("targets_then") { .optional($0.balance?.targets) },
            Field("targets_of_collector_then") { .optional($0.balance?.ofCollector) },
            Field("fewest_then") { .optional($0.balance?.fewest) },
            Field("most_then") { .optional($0.balance?.most) },
        ]
    }

    private static var rest: [Field] {
        [
            Field(nil, "Until") { $0.until.map { .text($0.sentence) } ?? .none },
            Field("until_revision") { .optional($0.until?.revision.number) },
            Field("until_time") { .optional($0.until.map { "\($0.at)" }) },
            Field("summary") { .text($0.sentence) },
        ]
    }

    private static func shortened(_ names: [String]) -> String {
        "\(names.count): \(names.prefix(8).joined(separator: ", "))" + (names.count > 8 ? ", …" : "")
    }

    private static func hexadecimal(_ hash: UInt64) -> String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension Cell {
    fileprivate init(_ passed: ConsistentHashRing.Explanation.Passed) {
        self = .object([
            Member(key: "collector", cell: .text(passed.member)),
            Member(key: "partitions", cell: .number(Int64(passed.load))),
        ])
    }

    init(_ event: CollectorEvent) {
        self = .object([
            Member(key: "collector", cell: .text(event.collector)), Member(key: "event", cell: .text(event.kind)),
            Member(key: "node", cell: .optional(event.node)), Member(key: "evidence", cell: .text(event.evidence)),
        ])
    }
}
