//
// AllocationState+Placing.swift: lets the strategy place targets: all of them, those that have no collector, and those
// that have to move for the load to be even.
//
// `sticky` makes the fewest moves that leave fullest and emptiest within one target of each other. Why these are the
// fewest: with T targets and n collectors each ends with T/n rounded down or up. Who is below the former receives, and
// what exceeds it elsewhere is what has to move, less one for as many collectors as may keep one more. Targets without a
// collector go to the emptiest first, which fills what is missing without a move; then each move from the fullest to
// the emptiest makes what exceeds less by one, and it ends when nothing does.
//

extension AllocationState {
    typealias TargetPlace = (job: Int, slot: Int32)

    /// Puts every target to the strategy again. Without collectors every target keeps the one it had.
    mutating func replaceAll(_ reason: (_ before: Int32, _ after: Int32) -> Reason) {
        switch placer {
        case .ring(_, let owners) where !owners.isEmpty:
            for job in jobs.indices {
                for slot in jobs[job].slots.indices where jobs[job].slots[slot].isUsed {
                    let before = jobs[job].slots[slot].collector
                    let after = owners[partition(of: Int32(slot), in: job)]
                    guard before != after else { continue }
                    step.note(Int32(slot), of: &jobs[job], reason: reason(before, after))
                    assign(after, to: Int32(slot), in: job)
                }
            }
        case .leastWeighted(let present), .sticky(let present, _):
            if !present.isEmpty { place(takeHomeless(), among: present) { reason($0, $1) } }
        case .ring:
            break
        }
    }

    /// Places what this step found.
    ///
    /// - Parameter released: What it took from collectors that are present.
    mutating func placeUnassigned(_ released: [AllocationStep.Touched]) {
        switch placer {
        case .ring(_, let owners) where !owners.isEmpty:
            for touched in step.touched where needsPlace(touched) {
                let owner = owners[partition(of: touched.slot, in: Int(touched.job))]
                assign(owner, to: touched.slot, in: Int(touched.job))
            }
        case .leastWeighted(let present) where !present.isEmpty:
            place(homelessInStep(), among: present) { _, _ in nil }
        case .sticky(let present, _) where !present.isEmpty:
            var homeless = homelessInStep()
            if !released.isEmpty, !homeless.isEmpty { inherit(released, &homeless) }
            place(homeless, among: present) { _, _ in nil }
        case .ring, .leastWeighted, .sticky:
            break
        }
    }

    /// Moves targets from the fullest collector to the emptiest until they are within one of each other, as far as the
    /// settings allow. Other strategies move nothing.
    mutating func evenOut(_ reason: (_ after: Int32) -> Reason) {
        guard case .sticky(_, let settings) = placer, isUneven else { return }
        var movesLeft = settings.movesPerRevisionMax ?? .max
        // Asked one by one: a copy of the order would be copied whole at the next change.
        while movesLeft > 0, (loads?.spread ?? 0) > 1, let from = loads?.heaviest, let to = loads?.lightest {
            guard let entry = holdings?.takeFirst(of: from, in: jobs) else {
                preconditionFailure("of \(collectors.targetCounts[Int(from)]) targets of a collector none is found")
            }
            step.note(entry.slot, of: &jobs[Int(entry.job)], reason: reason(to))
            assign(to, to: entry.slot, in: Int(entry.job))
            movesLeft -= 1
        }
    }

    // MARK: Without a collector

    private func needsPlace(_ touched: AllocationStep.Touched) -> Bool {
        let (job, slot) = (Int(touched.job), Int(touched.slot))
        return jobs[job].slots[slot].contributors > 0 && jobs[job].slots[slot].collector < 0
    }

    private func homelessInStep() -> [TargetPlace] {
        inOrder(step.touched.filter(needsPlace).map { (job: Int($0.job), slot: $0.slot) })
    }

    /// All whose collector is absent, or who have none, in order.
    private mutating func takeHomeless() -> [TargetPlace] {
        var places: [TargetPlace] = []
        for collector in collectors.all.indices
        where !collectors.isPresent[collector] && collectors.targetCounts[collector] > 0 {
            let all = holdings?.takeAll(of: Int32(collector), in: jobs) ?? []
            for entry in all { places.append((Int(entry.job), entry.slot)) }
        }
        // Nobody has none, unless there was a time without collectors.
        if collectors.targetCounts.reduce(0, +) < targetCount {
            for job in jobs.indices {
                for slot in jobs[job].slots.indices
                where jobs[job].slots[slot].isUsed && jobs[job].slots[slot].collector < 0 {
                    places.append((job, Int32(slot)))
                }
            }
        }
        return inOrder(places)
    }

    /// Gives each, in this order, to the collector with the fewest targets.
    ///
    /// For least-weighted a tie falls to the fewest of the target's job, then to the smallest name
    /// (spec/target-allocator.md 8.4); for sticky to the smallest name.
    ///
    /// - Parameter reason: Nil where all have been noted by the step already.
    private mutating func place(
        _ places: [TargetPlace], among present: ContiguousArray<Int32>,
        _ reason: (_ before: Int32, _ after: Int32) -> Reason?
    ) {
        var order = LoadOrder([], collectorCount: 0) { _ in 0 }
        var ofJob = -1
        for (job, slot) in places {
            let after: Int32
            if let lightest = loads?.lightest {
                after = lightest
            } else {
                if job != ofJob { order = loadOrder(of: job, present) }
                ofJob = job
                after = order.lightest
                order.add(Self.oneTarget + 1, to: after)
            }
            if let reason = reason(jobs[job].slots[Int(slot)].collector, after) {
                step.note(slot, of: &jobs[job], reason: reason)
            }
            assign(after, to: slot, in: job)
        }
    }

    /// Targets in the high half, targets of one job in the low half.
    private static let oneTarget = 1 << 32

    private func loadOrder(of job: Int, _ present: ContiguousArray<Int32>) -> LoadOrder {
        let ofJob = jobs[job].targetCounts
        return LoadOrder(present, collectorCount: collectors.all.count) {
            collectors.targetCounts[Int($0)] * Self.oneTarget + ofJob[$0, default: 0]
        }
    }

    /// Whoever has the endpoint of a target that is gone gets its collector: it is the same one with other labels.
    ///
    /// - Parameter homeless: In order; those that are placed here are removed.
    private mutating func inherit(_ released: [AllocationStep.Touched], _ homeless: inout [TargetPlace]) {
        struct Endpoint: Hashable {
            let job: Int32
            let hash: UInt64
        }
        var endpoints = EndpointHash(table: table)
        let jobsWithNew = Set(homeless.map { Int32($0.job) })
        var free: [Endpoint: [(identity: TargetIdentity, collector: Int32)]] = [:]
        for touched in released where jobsWithNew.contains(touched.job) {
            guard let before = step.before(touched), let collector = before.collector else { continue }
            free[Endpoint(job: touched.job, hash: endpoints.hash(of: before.labels)), default: []].append(
                (jobs[Int(touched.job)].slots[Int(touched.slot)].identity, collector.rawValue))
        }
        guard !free.isEmpty else { return }
        // The last is taken first.
        for endpoint in free.keys { free[endpoint]?.sort { $0.identity > $1.identity } }
        var others: [TargetPlace] = []
        for (job, slot) in homeless {
            let endpoint = Endpoint(job: Int32(job), hash: endpoints.hash(of: jobs[job].slots[Int(slot)].labels))
            if let collector = free[endpoint]?.popLast()?.collector {
                assign(collector, to: slot, in: job)
            } else {
                others.append((job, slot))
            }
        }
        homeless = others
    }

    // MARK: Order

    private func partition(of slot: Int32, in job: Int) -> Int {
        guard let address = jobs[job].address(of: slot) else {
            return ConsistentHashRing.partition(of: UnsafeRawBufferPointer(start: nil, count: 0))
        }
        return table.withValueBytes(address) { ConsistentHashRing.partition(of: $0) }
    }

    private struct Keyed {
        let rank: Int32
        let slot: Int32
        let addressHash: UInt64
        let identity: TargetIdentity
    }

    /// By job name, hash of the address and identity: an order that does not depend on when or by whom targets were found.
    /// Those of one job, and in it those of one address, follow each other and so come to different collectors.
    private func inOrder(_ places: [TargetPlace]) -> [TargetPlace] {
        let involved = Set(places.lazy.map(\.job)).sorted { ByteOrder.precedes(jobs[$0].name, jobs[$1].name) }
        var ranks = ContiguousArray<Int32>(repeating: 0, count: jobs.count)
        for (rank, job) in involved.enumerated() { ranks[job] = Int32(rank) }
        let keyed = places.map { job, slot in
            Keyed(
                rank: ranks[job], slot: slot,
                addressHash: jobs[job].address(of: slot).map { table.withValueBytes($0) { XXH64.hash($0) } } ?? 0,
                identity: jobs[job].slots[Int(slot)].identity)
        }
        .sorted { a, b in
            if a.rank != b.rank { return a.rank < b.rank }
            return a.addressHash != b.addressHash ? a.addressHash < b.addressHash : a.identity < b.identity
        }
        return keyed.map { (involved[Int($0.rank)], $0.slot) }
    }
}
