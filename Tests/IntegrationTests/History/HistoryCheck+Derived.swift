//
// HistoryCheck+Derived.swift: differences, collectors, revisions, decisions and reports against the model.
//

import AllocationCore
import PostgresDriver
import TestSupport
import Testing

@testable import AllocationLedger

extension HistoryCheck {
    // MARK: Differences

    private struct Change: Hashable {
        let kinds: TargetDifference.Kinds
        let from: String?
        let to: String?
    }

    private func difference(_ from: Int, _ to: Int) -> [Key: Change] {
        let (before, after) = (model.states[from], model.states[to])
        var changes: [Key: Change] = [:]
        for key in Set(before.keys).union(after.keys) where before[key] != after[key] {
            let (old, new) = (before[key], after[key])
            var kinds: TargetDifference.Kinds = []
            if old == nil { kinds.insert(.added) }
            if new == nil { kinds.insert(.removed) }
            if let old, let new {
                if old.collector != new.collector { kinds.insert(.moved) }
                if old.labels != new.labels { kinds.insert(.relabelled) }
            }
            changes[key] = Change(kinds: kinds, from: old?.collector, to: new?.collector)
        }
        return changes
    }

    func differences(_ random: inout SplitMix64) async throws {
        for _ in 0..<40 {
            let (from, to) = (
                Int.random(in: 1...model.latest, using: &random), Int.random(in: 1...model.latest, using: &random)
            )
            var query = DiffQuery(from: point(from), to: point(to))
            var found: [Key: Change] = [:]
            repeat {
                query.limit = Int.random(in: 1...50, using: &random)
                let page = try await query.run(connection)
                for item in page.items {
                    let key = Key(job: item.target.job, identity: item.target.identity.rawValue)
                    #expect(found[key] == nil)
                    found[key] = Change(kinds: item.kinds, from: item.from, to: item.to)
                    #expect((item.labels != nil) == item.kinds.contains(.relabelled))
                }
                query.after = page.next.flatMap { TargetCursor(text: $0.text) }
            } while query.after != nil
            let expected = difference(from, to)
            #expect(found == expected, "seed \(seed): \(from) to \(to)")
            let counts = try await query.counts(connection)
            func count(_ kind: TargetDifference.Kinds) -> Int64 {
                Int64(expected.values.count { $0.kinds.contains(kind) })
            }
            #expect(
                counts.added == count(.added) && counts.removed == count(.removed), "seed \(seed): \(from) to \(to)")
            #expect(
                counts.moved == count(.moved) && counts.relabelled == count(.relabelled),
                "seed \(seed): \(from) to \(to)")
        }
    }

    // MARK: Collectors

    private func loads(_ revision: Int) -> [String?: Int64] {
        model.states[revision].values.reduce(into: [:]) { $0[$1.collector, default: 0] += 1 }
    }

    func collectors(_ revision: Int) async throws {
        let answer = try await CollectorsQuery(at: point(revision)).run(connection)
        let loads = loads(revision)
        #expect(
            Set(answer.collectors.filter(\.isPresent).map(\.name)) == model.collectors[revision],
            "seed \(seed): \(revision)")
        for collector in answer.collectors {
            #expect(collector.targets == loads[collector.name] ?? 0, "seed \(seed): \(revision), \(collector)")
            #expect(collector.node == "node-of-\(collector.name)")
            let joined = (1...revision).last {
                model.collectors[$0].contains(collector.name) && !model.collectors[$0 - 1].contains(collector.name)
            }
            #expect(collector.joined == joined.map { point($0) }, "seed \(seed): \(revision), \(collector)")
        }
        #expect(answer.unassignedTargets == loads[nil] ?? 0, "seed \(seed): \(revision)")
        #expect(answer.targets == Int64(model.states[revision].count), "seed \(seed): \(revision)")
    }

    func load(_ name: String, _ random: inout SplitMix64) async throws {
        var query = CollectorHistoryQuery(name: name)
        var found: [LoadPoint] = []
        var after: RevisionCursor?
        repeat {
            query.limit = Int.random(in: 1...40, using: &random)
            let page = try await query.load(after: after, connection)
            found += page.items
            after = page.next.flatMap { RevisionCursor(text: $0.text) }
        } while after != nil
        let touched = (1...model.latest).reversed().filter { revision in
            let (before, after) = (model.states[revision - 1], model.states[revision])
            return Set(before.keys).union(after.keys).contains {
                (before[$0]?.collector == name) != (after[$0]?.collector == name)
            }
        }
        #expect(found.map { Int($0.revision) } == touched, "seed \(seed): \(name)")
        for point in found {
            #expect(point.targets == loads(Int(point.revision))[name] ?? 0, "seed \(seed): \(name), \(point)")
            let before = loads(Int(point.revision) - 1)[name] ?? 0
            #expect(point.gained - point.lost == point.targets - before, "seed \(seed): \(name), \(point)")
        }
        let events = try await query.events(connection)
        let turns = (1...model.latest).reversed().filter {
            model.collectors[$0].contains(name) != model.collectors[$0 - 1].contains(name)
        }
        #expect(
            events.items.map { Int($0.revision) } == Array(turns.prefix(events.items.count)), "seed \(seed): \(name)")
    }

    // MARK: Revisions

    func revisions(_ random: inout SplitMix64) async throws {
        var query = RevisionQuery()
        var found: [RevisionSummary] = []
        repeat {
            query.limit = Int.random(in: 1...100, using: &random)
            let page = try await query.run(connection)
            found += page.items
            query.after = page.next.flatMap { RevisionCursor(text: $0.text) }
        } while query.after != nil
        #expect(found.map { Int($0.revision) } == (1...model.latest).reversed(), "seed \(seed)")
        for summary in found.prefix(60) {
            let revision = Int(summary.revision)
            #expect(summary.point == point(revision) && summary.cause == model.causes[revision]?.rawValue)
            #expect(summary == (try await RevisionQuery.one(Revision(summary.revision), connection)))
            var events = RevisionEventsQuery(of: summary.point)
            var count = 0
            repeat {
                events.limit = Int.random(in: 1...30, using: &random)
                let page = try await events.run(connection)
                count += page.items.count
                events.after = page.next.flatMap { EventCursor(text: $0.text) }
            } while events.after != nil
            #expect(count == Int(summary.targetEvents), "seed \(seed): \(revision)")
            #expect(count == difference(revision - 1, revision).count, "seed \(seed): \(revision)")
            let collectors = try await events.collectors(connection)
            #expect(collectors.count == Int(summary.collectorEvents), "seed \(seed): \(revision)")
        }
        for job in ["shop", "bank"] {
            let page = try await JobHistoryQuery(job: job, limit: 1000).revisions(connection)
            let touched = (1...model.latest).reversed().filter { revision in
                difference(revision - 1, revision).keys.contains { $0.job == job }
            }
            #expect(page.items.map { Int($0.revision) } == touched, "seed \(seed): \(job)")
            for item in page.items.prefix(50) {
                let changes = difference(Int(item.revision) - 1, Int(item.revision)).filter { $0.key.job == job }.values
                #expect(Int(item.added) == changes.count { $0.kinds.contains(.added) })
                #expect(Int(item.removed) == changes.count { $0.kinds.contains(.removed) })
                #expect(Int(item.moved) == changes.count { $0.kinds.contains(.moved) })
                #expect(Int(item.relabelled) == changes.count { $0.kinds.contains(.relabelled) })
                #expect(item.cause == model.causes[Int(item.revision)]?.rawValue)
            }
        }
    }

    // MARK: Decisions

    func decision(_ random: inout SplitMix64) async throws {
        guard let key = model.keys.keys.sorted(by: { $0.identity < $1.identity }).randomElement(using: &random) else {
            return
        }
        let revision = Int.random(in: 1...model.latest, using: &random)
        let decision = try await WhyQuery(
            identity: TargetIdentity(rawValue: key.identity), job: key.job, at: point(revision)
        ).run(connection)
        let state = model.states[revision][key]
        #expect(decision.isPresent == (state != nil) && decision.collector == state?.collector)
        #expect(decision.labels?.dictionary == state?.labels)
        let deciding = (1...revision).last { at in
            let (before, after) = (model.states[at - 1][key], model.states[at][key])
            return before?.collector != after?.collector || (before == nil) != (after == nil)
        }
        #expect(decision.event.map { Int($0.revision) } == deciding, "seed \(seed): \(key) at \(revision)")
        guard let deciding else { return }
        #expect(decision.previousCollector == model.states[deciding - 1][key]?.collector)
        if let ring = decision.ring {
            #expect(ring.isReproduced, "seed \(seed): \(key) at \(revision)")
            #expect(ring.walk?.owner == ring.owner, "seed \(seed): \(key) at \(revision)")
            #expect(Set(ring.members) == model.collectors[deciding])
            if state != nil { #expect(ring.owner == state?.collector, "seed \(seed): \(key) at \(revision)") }
        }
        let goesByLoad = decision.revision.map { $0.ringVersion == nil } ?? false
        #expect((decision.balance != nil) == (goesByLoad && decision.event?.to != nil), "seed \(seed): \(key)")
        if let balance = decision.balance, let collector = decision.event?.to {
            let all = loads(deciding)
            let present = model.collectors[deciding].map { all[$0] ?? 0 }
            #expect(balance.collectors == present.count && balance.targets == Int64(model.states[deciding].count))
            #expect(balance.ofCollector == all[collector] ?? 0)
            #expect(balance.fewest == present.min() && balance.most == present.max())
            #expect(decision.sentence.contains(balance.sentence) == decision.isPresent)
        }
    }

    // MARK: Reports

    func report(_ random: inout SplitMix64) async throws {
        let span = model.times[1].microsecondsSince1970...model.times[model.latest].microsecondsSince1970
        let ends = [Int64.random(in: span, using: &random), Int64.random(in: span, using: &random)].sorted()
        guard ends[0] < ends[1] else { return }
        let (since, until) = (
            Timestamp(microsecondsSince1970: ends[0]), Timestamp(microsecondsSince1970: ends[1])
        )
        let report = try await ReportQuery(since: since, until: until, limit: 1000).run(connection)
        let (first, last) = (model.revision(at: since), model.revision(at: until))
        #expect(report.first == point(first) && report.last == point(last))
        #expect(report.revisions == Int64(last - first), "seed \(seed): \(first) to \(last)")
        let expected = difference(first, last).values
        #expect(report.net.added == Int64(expected.count { $0.kinds.contains(.added) }))
        #expect(report.net.moved == Int64(expected.count { $0.kinds.contains(.moved) }))
        #expect(report.targetEvents == report.eventsByReason.reduce(0) { $0 + $1.count })
        var moves: Int64 = 0
        if first < last {
            for revision in first + 1...last {
                moves += Int64(difference(revision - 1, revision).values.count { $0.from != $0.to })
            }
        }
        #expect(report.moves.reduce(0) { $0 + $1.count } == moves, "seed \(seed): \(first) to \(last)")
        let unassigned = unassigned(first, last, since, until)
        #expect(Int(report.unassignedTargets) == unassigned.count, "seed \(seed): \(first) to \(last)")
        #expect(
            abs(report.unassignedSeconds - unassigned.values.reduce(0, +)) < 1e-3, "seed \(seed): \(first) to \(last)")
        for worst in report.worstUnassigned {
            let key = Key(job: worst.target.job, identity: worst.target.identity.rawValue)
            #expect(abs(worst.seconds - (unassigned[key] ?? 0)) < 1e-4, "seed \(seed): \(worst)")
            #expect(worst.isOngoing == (model.states[last][key].map { $0.collector == nil } ?? false))
        }
    }

    /// Seconds without a collector of each target that had some.
    private func unassigned(_ first: Int, _ last: Int, _ since: Timestamp, _ until: Timestamp) -> [Key: Double] {
        var seconds: [Key: Double] = [:]
        for revision in first...last {
            let from = max(model.times[revision], since)
            let to = revision == last ? until : model.times[revision + 1]
            let span = Double(to.microsecondsSince1970 - from.microsecondsSince1970) / 1_000_000
            for (key, value) in model.states[revision] where value.collector == nil { seconds[key, default: 0] += span }
        }
        return seconds.filter { $0.value > 0 }
    }
}
