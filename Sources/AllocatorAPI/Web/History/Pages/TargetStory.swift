//
// TargetStory.swift: who had a target when, from what happened to it.
//
// A function of the events alone. Other labels make another identity; where one identity vanishes and another appears in
// the same revision under the same collector, the tenure goes on.
//

import AllocationCore
import AllocationLedger
import PostgresDriver

/// One endpoint's tenures, identities and events in a stretch of time.
struct TargetStory {
    private(set) var chart: LaneChart

    private struct Present {
        var holder: String?
        var from: Timestamp
        var since: Timestamp
    }

    /// - Parameters:
    ///   - events: Of one endpoint, in any order.
    ///   - isWhole: Nothing happened before the first of them.
    ///   - end: Up to when the last state is known to hold.
    init(_ events: [TargetEvent], isWhole: Bool, until end: Timestamp) {
        let ordered = events.sorted { ($0.revision, $0.ordinal) < ($1.revision, $1.ordinal) }
        let first = ordered.first?.at ?? end
        chart = LaneChart(from: first, to: max(end, ordered.last?.at ?? end), tenures: [])
        var present: [TargetIdentity: Present] = [:]
        for event in ordered {
            let identity = event.target.identity
            // What was there before the story begins.
            if present[identity] == nil, !event.kinds.contains(.discovered), !isWhole {
                present[identity] = Present(holder: event.from, from: first, since: first)
            }
            take(event, &present[identity], identity)
        }
        for (identity, state) in present { close(state, identity, at: chart.to) }
        chart.tenures = Self.joined(chart.tenures)
        chart.identities.sort { ($0.from, $0.name) < ($1.from, $1.name) }
        // The end that vanished and the one that appeared are one thing that happened.
        chart.marks = ordered.filter { $0.continuedBy == nil }.map { Self.mark($0) }
    }

    private mutating func take(_ event: TargetEvent, _ state: inout Present?, _ identity: TargetIdentity) {
        if event.kinds.contains(.vanished) {
            if let was = state { close(was, identity, at: event.at) }
            state = nil
        } else if let was = state {
            guard was.holder != event.to else { return }
            chart.tenures.append(.init(holder: was.holder, from: was.from, to: event.at))
            state = Present(holder: event.to, from: event.at, since: was.since)
        } else {
            state = Present(holder: event.to, from: event.at, since: event.at)
        }
    }

    private mutating func close(_ state: Present, _ identity: TargetIdentity, at end: Timestamp) {
        chart.tenures.append(.init(holder: state.holder, from: state.from, to: end))
        chart.identities.append(.init(name: "\(identity.rawValue)", from: state.since, to: end))
    }

    /// Tenures of one holder that touch are one.
    private static func joined(_ tenures: [LaneChart.Tenure]) -> [LaneChart.Tenure] {
        var joined: [LaneChart.Tenure] = []
        var last: [String?: Int] = [:]
        for tenure in tenures.sorted(by: { ($0.from, $0.to) < ($1.from, $1.to) }) {
            if let index = last[tenure.holder], joined[index].to >= tenure.from {
                joined[index].to = max(joined[index].to, tenure.to)
            } else {
                last[tenure.holder] = joined.count
                joined.append(tenure)
            }
        }
        return joined
    }

    private static func mark(_ event: TargetEvent) -> LaneChart.Mark {
        let isRelabelled = EventParts.isSameStory(event)
        let tone: LaneChart.Mark.Tone
        switch isRelabelled ? .special : EventParts.tone(Reason(code: event.reason)) {
        case .bad: tone = .bad
        case .good: tone = .good
        case .special: tone = .special
        default: tone = .plain
        }
        let what = isRelabelled ? "relabelled" : "\(event.kinds.codes.joined(separator: ", ")): \(event.reason)"
        var text = "\(TimeText.short(event.at)) \(what)"
        if event.from != event.to, !isRelabelled { text += ", \(event.from ?? "none") → \(event.to ?? "none")" }
        return LaneChart.Mark(at: event.at, tone: tone, text: text, link: HistoryLink.revision(event.revision))
    }
}
