//
// StateFields.swift: the fields of a target in a state, and of one that differs between two states.
//

import AllocationCore
import AllocationLedger

extension RowForm<TargetAssignment> {
    /// - Parameter point: Of the state; each row names it for programs.
    package static func state(at point: RevisionPoint, withLabels: Bool) -> Self {
        let (revision, time) = (point.revision.number, "\(point.at)")
        return Self(
            [
                Field("revision") { _ in .number(revision) },
                Field("time") { _ in .text(time) },
                Field("job", "JOB") { .text($0.target.job) },
                Field("address", "ADDRESS") { .text($0.target.address) },
                Field("collector", "COLLECTOR", tint: { $0 == .none ? .red : nil }) { .optional($0.collector) },
                Field("identity", "IDENTITY") { .text("\($0.target.identity.rawValue)") },
            ]
                + (withLabels ? [Field("labels", "LABELS") { $0.labels.map(Cell.init) ?? .none }] : []))
    }
}

extension RowForm<TargetDifference> {
    package static var difference: Self {
        Self([
            Field("change", "CHANGE", tint: tint) { .list($0.kinds.codes.map(Cell.text)) },
            Field("job", "JOB") { .text($0.target.job) },
            Field("address", "ADDRESS") { .text($0.target.address) },
            Field("from", "FROM") { .optional($0.from) },
            Field("to", "TO") { .optional($0.to) },
            Field("events", "EVENTS") { .number($0.events) },
            Field("identity", "IDENTITY") { .text("\($0.target.identity.rawValue)") },
            Field(nil, "LABELS") { $0.labels.map { .text($0.shortText) } ?? .none },
            Field("label_changes") { $0.labels.map(Cell.init) ?? .none },
        ])
    }

    @Sendable private static func tint(_ kinds: Cell) -> Tint? {
        guard case .list(let codes) = kinds else { return nil }
        if codes.contains(.text("added")) { return .green }
        return codes.contains(.text("removed")) ? .red : .yellow
    }
}
