//
// TargetEventFields.swift: the fields of what happened to a target, for every command that lists it.
//

import AllocationCore
import AllocationLedger
import PostgresDriver

extension RowForm.Field where Row == TargetEvent {
    static var time: Self { Self("time", "TIME", tint: { _ in .faint }) { .text("\($0.at)") } }
    static var revision: Self { Self("revision", "REVISION") { .number($0.revision) } }
    static var job: Self { Self("job", "JOB") { .text($0.target.job) } }
    static var address: Self { Self("address", "ADDRESS") { .text($0.target.address) } }
    static var identity: Self { Self("identity", "IDENTITY") { .text("\($0.target.identity.rawValue)") } }
    static var kinds: Self { Self("event", "EVENT", tint: tint) { .list($0.kinds.codes.map(Cell.text)) } }
    static var from: Self { Self("from", "FROM") { .optional($0.from) } }
    static var to: Self { Self("to", "TO") { .optional($0.to) } }
    static var reason: Self { Self("reason", "REASON") { .text($0.reason) } }
    /// Direct when the collector that came or went is the target's own, cascade when the load bound pushed it on.
    static var moveKind: Self { Self("kind", "KIND") { .optional($0.moveKind?.rawValue) } }
    static var partition: Self { Self("partition", "PARTITION") { .optional($0.ring.map { Int64($0.partition) }) } }
    static var ownerBefore: Self { Self("owner_before", "OWNER BEFORE") { .optional($0.ring?.ownerBefore) } }
    static var ownerAfter: Self { Self("owner_after") { .optional($0.ring?.ownerAfter) } }
    static var cause: Self { Self("cause", "CAUSE") { .text($0.cause) } }
    static var causeDetail: Self {
        Self("cause_detail", "DETAIL") { $0.causeDetail.isEmpty ? .none : .text($0.causeDetail) }
    }
    static var continues: Self { Self("continues") { .optional($0.continues.map { "\($0.rawValue)" }) } }
    static var continuedBy: Self { Self("continued_by") { .optional($0.continuedBy.map { "\($0.rawValue)" }) } }
    static var fetchedBy: Self { Self("fetched_by") { .optional($0.fetchedBy) } }
    /// Seconds without a collector, and with two.
    static var ownerless: Self { Self("ownerless_seconds", "OWNERLESS") { .optional($0.handover.ownerlessSeconds) } }
    static var doublyOwned: Self {
        Self("doubly_owned_seconds", "DOUBLE") { .optional($0.handover.doublyOwnedSeconds) }
    }
    static var learned: [Self] {
        [
            Self("learned_by_old_at") { .optional($0.handover.learnedByOld.map { "\($0)" }) },
            Self("old_left_at") { .optional($0.handover.oldLeft.map { "\($0)" }) },
            Self("learned_by_new_at") { .optional($0.handover.learnedByNew.map { "\($0)" }) },
        ]
    }
    static var labelChanges: Self { Self("label_changes") { $0.labels.map(Cell.init) ?? .none } }
    static var labelChangesForPeople: Self {
        Self(nil, "LABELS") { $0.labels.map { .text($0.shortText) } ?? .none }
    }

    private static func tint(_ kinds: Cell) -> Tint? {
        guard case .list(let codes) = kinds else { return nil }
        if codes.contains(.text("vanished")) || codes.contains(.text("unassigned")) { return .red }
        if codes.contains(.text("moved")) { return .yellow }
        return codes.contains(.text("discovered")) ? .green : nil
    }
}

extension RowForm<TargetEvent> {
    /// From one collector to another.
    package static var moves: Self {
        Self(
            [
                .time, .revision, .job, .address, .from, .to, .reason, .moveKind, .partition, .ownerBefore, .cause,
                .ownerless, .doublyOwned, .causeDetail.untitled, .identity.untitled,
            ] + RowForm.Field.learned)
    }

    /// A target's life.
    package static var story: Self {
        Self(
            [
                .time, .revision, .job, .address, .kinds, .from, .to, .reason, .moveKind, .cause, .causeDetail,
                .labelChangesForPeople, .labelChanges, .identity.untitled, .continues, .continuedBy,
                .partition.untitled,
                .ownerBefore.untitled, .ownerAfter, .fetchedBy, .ownerless.untitled, .doublyOwned.untitled,
            ] + RowForm.Field.learned)
    }
}

extension LabelDifference {
    /// `zone: a → b, -pod=x, +pod=y`.
    package var shortText: String {
        (changed.map { "\($0.name): \($0.before) → \($0.after)" } + removed.map { "-\($0.name)=\($0.value)" }
            + added.map { "+\($0.name)=\($0.value)" }).joined(separator: ", ")
    }
}
