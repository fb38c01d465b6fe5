//
// HistoryPropertyTests.swift: what the queries say of a random history is what it was.
//

import AllocationCore
import Foundation
import PostgresDriver
import Synchronization
import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: as-of state, difference, moves and every target's history are exact at every revision and instant.
///
/// Method: hundreds of random steps (thousands with TARGET_LEDGER_LONG_TESTS=1) of targets, labels, identities,
/// collectors, strategies and jobs through the real writer; a model of plain dictionaries beside it; every answer
/// compared, read in pages of random size.
@Suite struct HistoryPropertyTests {
    static let isLong = ProcessInfo.processInfo.environment["TARGET_LEDGER_LONG_TESTS"] == "1"
    static let seeds: [UInt64] = isLong ? [1, 2, 3, 4] : [1, 2]
    static let steps = isLong ? 1500 : 120

    @Test("Every answer about a random history is what the model says", arguments: seeds)
    func randomHistory(seed: UInt64) async throws {
        try await LedgerFixture.with { ledger in
            var workload = HistoryWorkload(seed: seed)
            let connection = try await PostgresConnection.connect(ledger.configuration, logger: TestPostgres.logger)
            var random = SplitMix64(state: seed &+ 2000)
            for step in 0..<Self.steps {
                try await workload.step(&ledger)
                // Odd seeds never take one: then every state is made from an end of the history.
                if seed % 2 == 0, step % 9 == Int.random(in: 0..<9, using: &random) {
                    try await StateSnapshot.take(fencedBy: ledger.token, connection)
                }
            }
            let check = HistoryCheck(model: workload.model, connection: connection, seed: seed)
            do {
                try await check.run()
            } catch {
                await connection.close()
                throw error
            }
            #expect(try await connection.transaction { try await SnapshotCheck.run($0) } == [])
            await connection.close()
        }
    }
}

/// Compares answers with the model.
struct HistoryCheck: Sendable {
    typealias Key = HistoryModel.Key
    typealias Value = HistoryModel.Value

    let model: HistoryModel
    let connection: PostgresConnection
    let seed: UInt64

    func run() async throws {
        var random = SplitMix64(state: seed &+ 1000)
        for revision in 1...model.latest { try await state(revision, &random) }
        for _ in 0..<50 { try await instant(&random) }
        for _ in 0..<40 { try await filteredState(&random) }
        try await moves(&random)
        for (key, address) in model.keys { try await history(of: key, address, &random) }
        try await differences(&random)
        for _ in 0..<30 { try await collectors(Int.random(in: 1...model.latest, using: &random)) }
        for name in ["a", "e"] { try await load(name, &random) }
        try await revisions(&random)
        for _ in 0..<60 { try await decision(&random) }
        for _ in 0..<15 { try await report(&random) }
    }

    func point(_ revision: Int) -> RevisionPoint {
        RevisionPoint(revision: Revision(Int64(revision)), at: model.times[revision])
    }

    // MARK: State

    private func collect(_ query: StateQuery, _ random: inout SplitMix64) async throws -> HistoryModel.State {
        var query = query
        var found: HistoryModel.State = [:]
        var last: Int32 = 0
        repeat {
            query.limit = Int.random(in: 1...40, using: &random)
            let page = try await query.run(connection)
            #expect(page.items.count <= query.limit)
            for item in page.items {
                #expect(item.target.number > last, "order")
                last = item.target.number
                found[Key(job: item.target.job, identity: item.target.identity.rawValue)] = Value(
                    address: item.target.address, collector: item.collector, labels: item.labels?.dictionary ?? [:])
            }
            query.after = page.next.flatMap { TargetCursor(text: $0.text) }
        } while query.after != nil
        return found
    }

    private func state(_ revision: Int, _ random: inout SplitMix64) async throws {
        let found = try await collect(StateQuery(at: point(revision)), &random)
        #expect(found == model.states[revision], "seed \(seed): state at \(revision)")
        let walk = try await StateWalk(at: point(revision), connection)
        let all = try await walk.all(connection)
        let ranged = try await walk.rows(.span(lower: 0, upper: .max), connection)
        #expect(Array(all) == ranged, "seed \(seed): whole state at \(revision)")
        guard revision % 10 == 0 else { return }
        let streamed = Mutex(HistoryModel.State())
        let count = try await StateStream(at: point(revision), withLabels: true, partSize: 7).run(connection) { part in
            for item in part {
                let key = Key(job: item.target.job, identity: item.target.identity.rawValue)
                let value = Value(
                    address: item.target.address, collector: item.collector, labels: item.labels?.dictionary ?? [:])
                streamed.withLock { $0[key] = value }
            }
        }
        #expect(count == model.states[revision].count)
        #expect(streamed.withLock { $0 } == model.states[revision], "seed \(seed): streamed state at \(revision)")
    }

    private func filteredState(_ random: inout SplitMix64) async throws {
        let revision = Int.random(in: 1...model.latest, using: &random)
        var query = StateQuery(at: point(revision))
        if Bool.random(using: &random) { query.job = "bank" }
        switch Int.random(in: 0..<3, using: &random) {
        case 0: query.holder = .collector("b")
        case 1: query.holder = .nobody
        default: break
        }
        if Bool.random(using: &random) { query.address = ".1" }
        let selectors = [
            #"{zone="zone-1"}"#, #"{zone=""}"#, #"{zone!="zone-2",job=~"shop|bank"}"#, #"{version=~"v0|v1"}"#,
            #"{job!="shop"}"#, #"{path="/3"}"#, #"{nothing=""}"#, #"{nothing="x"}"#,
        ].shuffled(using: &random).prefix(Int.random(in: 0...2, using: &random))
        let selection = try LabelSelection(
            anyOf: selectors.map { try LabelMatcher.parse($0) }, regex: Self.alternatives)
        query.selection = selection
        let expected = model.states[revision].filter { key, value in
            let labels = RecordedLabels(pairs: value.labels.map { RecordedLabel(name: $0, value: $1) })
            return (query.job.map { $0 == key.job } ?? true) && (query.address.map(value.address.contains) ?? true)
                && selection.selects(job: key.job, labels: labels)
                && query.holder.map {
                    switch $0 {
                    case .collector(let name): value.collector == name
                    case .nobody: value.collector == nil
                    }
                } ?? true
        }
        let found = try await collect(query, &random)
        #expect(found == expected, "seed \(seed): \(revision), \(query), \(selectors)")
    }

    static func alternatives(_ pattern: String) -> @Sendable (String) -> Bool {
        let wanted = Set(pattern.split(separator: "|", omittingEmptySubsequences: false).map(String.init))
        return { wanted.contains($0) }
    }

    private func instant(_ random: inout SplitMix64) async throws {
        let span = model.times[1].microsecondsSince1970...model.times[model.latest].microsecondsSince1970 + 1000
        let time = Timestamp(microsecondsSince1970: Int64.random(in: span, using: &random))
        let found = try await Instant.time(time).resolve(connection)
        #expect(found == point(model.revision(at: time)), "seed \(seed): \(time)")
        let exact = Int.random(in: 1...model.latest, using: &random)
        #expect(try await Instant.time(model.times[exact]).resolve(connection) == point(exact))
        #expect(try await Instant.revision(Revision(Int64(exact))).resolve(connection) == point(exact))
    }

    // MARK: Moves

    private struct Step: Hashable {
        let revision: Int
        let key: Key
        let from: String?
        let to: String?
    }

    private func steps(_ revisions: ClosedRange<Int>) -> Set<Step> {
        var steps: Set<Step> = []
        for revision in revisions {
            let (before, after) = (model.states[revision - 1], model.states[revision])
            for key in Set(before.keys).union(after.keys) {
                let (from, to) = (before[key]?.collector, after[key]?.collector)
                if from != to { steps.insert(Step(revision: revision, key: key, from: from, to: to)) }
            }
        }
        return steps
    }

    private func collect(_ query: MoveQuery, _ random: inout SplitMix64) async throws -> [Move] {
        var query = query
        var found: [Move] = []
        repeat {
            query.limit = Int.random(in: 1...400, using: &random)
            let page = try await query.run(connection)
            #expect(page.items.count <= query.limit)
            found += page.items
            query.after = page.next.flatMap { EventCursor(text: $0.text) }
        } while query.after != nil
        return found
    }

    private func moves(_ random: inout SplitMix64) async throws {
        let all = try await collect(MoveQuery(), &random)
        let found = all.map {
            Step(
                revision: Int($0.revision), key: Key(job: $0.job, identity: $0.identity.rawValue), from: $0.from,
                to: $0.to)
        }
        #expect(Set(found) == steps(1...model.latest), "seed \(seed)")
        #expect(found.count == Set(found).count, "seed \(seed): a move comes twice")
        #expect(
            zip(all, all.dropFirst()).allSatisfy {
                ($0.revision, -$0.ordinal) > ($1.revision, -$1.ordinal)
            }, "seed \(seed): order")
        for move in all { #expect(move.cause == model.causes[Int(move.revision)]?.rawValue) }
        for _ in 0..<20 {
            let revisions = [
                Int.random(in: 1...model.latest, using: &random), Int.random(in: 1...model.latest, using: &random),
            ].sorted()
            var query = MoveQuery(since: model.times[revisions[0]], until: model.times[revisions[1]])
            if Bool.random(using: &random) { query.job = "farm" }
            if Bool.random(using: &random) { query.collector = "c" }
            if Bool.random(using: &random) { query.target = ".2" }
            if Bool.random(using: &random) { query.reason = .cascadeLoadBound }
            if Bool.random(using: &random) {
                query.selection = try LabelSelection(
                    anyOf: [LabelMatcher.parse(#"{zone=~"zone-1|",job!="bank"}"#)], regex: Self.alternatives)
            }
            let expected = all.filter { move in
                let key = Key(job: move.job, identity: move.identity.rawValue)
                let state = model.states[Int(move.revision)][key] ?? model.states[Int(move.revision) - 1][key]
                let zone = state?.labels["zone"] ?? ""
                return (revisions[0]..<revisions[1]).contains(Int(move.revision))
                    && (query.job.map { $0 == move.job } ?? true)
                    && (query.collector.map { $0 == move.from || $0 == move.to } ?? true)
                    && (query.target.map(move.address.contains) ?? true)
                    && (query.reason.map { $0.code == move.reason } ?? true)
                    && (query.selection == nil || (["", "zone-1"].contains(zone) && move.job != "bank"))
            }
            let found = try await collect(query, &random)
            #expect(found == expected, "seed \(seed): \(query)")
        }
    }

    // MARK: Histories

    private func collect(_ query: TargetHistoryQuery, _ random: inout SplitMix64) async throws -> [TargetEvent] {
        var query = query
        var found: [TargetEvent] = []
        repeat {
            query.limit = Int.random(in: 1...10, using: &random)
            let answer = try await query.run(connection)
            found += answer.page.items
            query.after = answer.page.next.flatMap { RevisionCursor(text: $0.text) }
        } while query.after != nil
        return found
    }

    private func history(of key: Key, _ address: String, _ random: inout SplitMix64) async throws {
        let identity = TargetIdentity(rawValue: key.identity)
        let events = try await collect(
            TargetHistoryQuery(.target(identity, job: key.job), oldestFirst: true), &random)
        var expected = (1...model.latest).filter { model.states[$0 - 1][key] != model.states[$0][key] }
        #expect(events.map { Int($0.revision) } == expected, "seed \(seed): \(key)")
        for event in events {
            let (before, after) = (
                model.states[Int(event.revision) - 1][key], model.states[Int(event.revision)][key]
            )
            compare(event, before, after)
        }
        let backwards = try await collect(TargetHistoryQuery(.target(identity, job: nil)), &random)
        #expect(backwards.map(\.cursor) == events.reversed().map(\.cursor), "seed \(seed): \(key)")

        let story = try await collect(TargetHistoryQuery(.endpointOf(identity, job: key.job)), &random)
        let siblings = model.keys.filter { $0.key.job == key.job && $0.value == address }.map(\.key)
        expected = siblings.flatMap { sibling in
            (1...model.latest).filter { model.states[$0 - 1][sibling] != model.states[$0][sibling] }
        }.sorted(by: >)
        #expect(story.map { Int($0.revision) } == expected, "seed \(seed): \(address)")
        checkLinks(story)
    }

    private func compare(_ event: TargetEvent, _ before: Value?, _ after: Value?) {
        #expect(event.from == before?.collector && event.to == after?.collector, "seed \(seed): \(event)")
        var kinds: TargetEventKinds = []
        if before == nil { kinds.insert(.discovered) }
        if after == nil { kinds.insert(.vanished) }
        if let before, let after, before.labels != after.labels { kinds.insert(.relabelled) }
        if before?.collector == nil, after?.collector != nil { kinds.insert(.assigned) }
        if let from = before?.collector, let to = after?.collector, from != to { kinds.insert(.moved) }
        if before?.collector != nil, let after, after.collector == nil { kinds.insert(.unassigned) }
        #expect(event.kinds == kinds, "seed \(seed): \(event)")
        if kinds.contains(.relabelled), let before, let after {
            let changed = event.labels?.changed.map { [$0.name, $0.before, $0.after] }
            let expected = before.labels.keys.filter { before.labels[$0] != after.labels[$0] }.sorted()
                .map { [$0, before.labels[$0] ?? "", after.labels[$0] ?? ""] }
            #expect(changed == expected, "seed \(seed): \(event)")
        }
    }

    /// Who vanished and goes on is followed by one that appeared in the same revision, and each only once.
    private func checkLinks(_ story: [TargetEvent]) {
        for (revision, events) in Dictionary(grouping: story, by: \.revision) {
            let gone = events.filter { $0.kinds.contains(.vanished) }
            let new = events.filter { $0.kinds.contains(.discovered) }
            let linked = new.filter { $0.continues != nil }
            #expect(linked.count == min(gone.count, new.count), "seed \(seed): revision \(revision)")
            for event in linked {
                let before = gone.first { $0.target.identity == event.continues }
                #expect(before?.continuedBy == event.target.identity, "seed \(seed): revision \(revision)")
            }
        }
    }
}
