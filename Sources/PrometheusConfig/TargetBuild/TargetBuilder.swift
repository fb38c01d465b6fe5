//
// TargetBuilder.swift: from a discovered group to targets: merge, seed, relabel, identify.
//
// The rules are those of upstream's allocator (spec/target-allocator.md 6.2 to 6.4): what is served are the merged,
// un-relabelled labels, since the collector relabels again itself; relabelling only decides what is dropped, and which
// labels the identity is hashed over. Validity of the outcome is not checked, the collector does that.
//
// The order of several parameters is random upstream, which changes identities at every reload; here it is sorted.
//

import AllocationCore

/// Builds the targets of one job. May be used by several threads at once, each with its own scratch.
// @unchecked: the pointers lead into `storage` and `table`, whose bytes are written before and never change.
package struct TargetBuilder: @unchecked Sendable {
    fileprivate struct Seed {
        var slot: Int32
        var value: UnsafeRawBufferPointer
        /// Range of ``constantSuffix`` that has name and value.
        var pairStart: Int
        var pairEnd: Int
    }

    private let table: LabelTable
    /// Nil: no filter, no seeding.
    private let relabeling: CompiledRelabeling?
    private let hasNoRules: Bool
    private let seeds: UnsafeBufferPointer<Seed>
    private let disableSharding: Int32
    private let trueText: UnsafeRawBufferPointer
    private let job: UnsafeRawBufferPointer
    /// What follows the merged labels in the identity when neither rules nor labels interfere.
    private let constantSuffix: UnsafeRawBufferPointer
    private let addressName: LabelNameID
    private let storage: RelabelStorage

    /// Keeps a rule of the operator from dropping targets that belong to another shard: all shards are ours.
    private static let disableShardingName = "__tmp_disable_sharding"

    /// - Parameters:
    ///   - scrapeInterval: Duration in its canonical text, as is `scrapeTimeout`.
    ///   - params: Name and first value of each URL parameter that has one, sorted by name.
    ///   - filter: Whether rules are run at all: `filter_strategy: relabel-config`. Otherwise the identity is that of
    ///     the merged labels, and nothing is dropped.
    /// - Throws: What is wrong with the first rule that Prometheus would refuse.
    package init(
        job: String, scrapeInterval: String, scrapeTimeout: String, metricsPath: String, scheme: String,
        params: [(String, String)], rules: [RelabelConfig], filter: Bool,
        validationScheme: NameValidationScheme = .utf8, table: LabelTable
    ) throws(RelabelConfigError) {
        self.table = table
        storage = RelabelStorage()
        self.job = storage.copy(job)
        trueText = storage.copy("true")
        addressName = table.nameID(for: "__address__")
        guard filter else {
            relabeling = nil
            hasNoRules = true
            seeds = storage.allocate([])
            disableSharding = -1
            constantSuffix = self.job
            return
        }
        var seeded = [
            ("job", job), ("__scrape_interval__", scrapeInterval), ("__scrape_timeout__", scrapeTimeout),
            ("__metrics_path__", metricsPath), ("__scheme__", scheme),
        ]
        for (name, value) in params { seeded.append(("__param_\(name)", value)) }
        // Seeding with an empty value sets nothing.
        seeded.removeAll { $0.1.isEmpty }
        let relabeling = try CompiledRelabeling(
            rules, extraNames: [Self.disableShardingName] + seeded.map(\.0), scheme: validationScheme, table: table
        )
        self.relabeling = relabeling
        hasNoRules = rules.isEmpty
        disableSharding = relabeling.slot(of: Self.disableShardingName)
        var seeds: [Seed] = []
        var suffix: [UInt8] = []
        for (name, value) in seeded {
            let slot = relabeling.slot(of: name)
            // Of a parameter given twice the first counts.
            if seeds.contains(where: { $0.slot == slot }) { continue }
            let start = suffix.count
            suffix += Array(name.utf8) + [0xFF] + Array(value.utf8) + [0xFF]
            seeds.append(Seed(slot: slot, value: storage.copy(value), pairStart: start, pairEnd: suffix.count))
        }
        self.seeds = storage.allocate(seeds)
        suffix += Array(job.utf8)
        constantSuffix = storage.copy(suffix)
    }

    /// Merges group and own labels, seeds, relabels and identifies, and appends each target that is kept.
    ///
    /// - Returns: How many targets were dropped.
    package func build(
        _ group: TargetGroup, scratch: inout RelabelScratch, into targets: inout ContiguousArray<IdentifiedTarget>
    ) -> Int {
        if let relabeling { scratch.bind(relabeling) }
        scratch.plan.forget()
        var dropped = 0
        for own in group.targets {
            if !scratch.plan.fits(own, in: table) { makePlan(group.labels, own, &scratch) }
            guard let identity = identify(own, &scratch) else {
                dropped += 1
                continue
            }
            let labels = scratch.plan.labels(own)
            let address = scratch.plan.addressIndex >= 0 ? labels.ids[scratch.plan.addressIndex] : nil
            targets.append(
                IdentifiedTarget(identity: TargetIdentity(rawValue: identity), labels: labels, address: address))
        }
        return dropped
    }

    private func makePlan(_ group: LabelSet, _ own: LabelSet, _ scratch: inout RelabelScratch) {
        scratch.plan.begin(group, own, in: table)
        scratch.beginBase()
        if let relabeling, relabeling.touchesAnyName {
            planRange(0..<scratch.plan.merged.count, relabeling, &scratch)
        } else {
            planRange(0..<scratch.plan.metaRange.lowerBound, relabeling, &scratch)
            if let relabeling { scratch.addMetaToBase(relabeling, in: table) }
            planRange(scratch.plan.metaRange.upperBound..<scratch.plan.merged.count, relabeling, &scratch)
        }
        guard relabeling != nil else { return scratch.plan.hasNoSeedNames = true }
        for id in own.ids { scratch.plan.ownSlots.append(scratch.names.slot(of: table.nameID(id))) }
        scratch.plan.hasNoSeedNames =
            !scratch.isInBase(disableSharding) && seeds.allSatisfy { !scratch.isInBase($0.slot) }
    }

    /// Puts a range of the merged labels into the base and into what is hashed.
    private func planRange(_ range: Range<Int>, _ relabeling: CompiledRelabeling?, _ scratch: inout RelabelScratch) {
        var own =
            scratch.plan.ownIndices.indices.first { scratch.plan.ownIndices[$0] >= range.lowerBound }
            ?? scratch.plan.ownIndices.count
        for index in range {
            let id = scratch.plan.merged[index]
            let isOwn = own < scratch.plan.ownIndices.count && scratch.plan.ownIndices[own] == index
            defer { own += isOwn ? 1 : 0 }
            let slot = relabeling == nil ? -1 : scratch.addToBase(id, in: table)
            if scratch.plan.metaRange.contains(index) { continue }
            if table.nameID(id).rawValue == addressName.rawValue { scratch.plan.setAddress(index) }
            scratch.plan.addHashed(index, own: isOwn ? own : -1, slot: slot, in: table)
        }
    }

    /// The identity; nil: dropped.
    @inline(__always)
    private func identify(_ own: borrowing LabelSet, _ scratch: inout RelabelScratch) -> UInt64? {
        guard let relabeling, !hasNoRules || !scratch.plan.hasNoSeedNames else {
            hashMerged(own, &scratch, skipsTouched: false)
            scratch.hashInput.append(constantSuffix)
            return scratch.hashInput.hash
        }
        guard relabel(own, relabeling, &scratch) else { return nil }
        hashMerged(own, &scratch, skipsTouched: true)
        hashAdded(&scratch)
        scratch.hashInput.append(job)
        return scratch.hashInput.hash
    }

    /// Seeds and runs the rules. False: dropped.
    private func relabel(
        _ own: borrowing LabelSet, _ relabeling: CompiledRelabeling, _ scratch: inout RelabelScratch
    ) -> Bool {
        scratch.beginTarget()
        for index in scratch.plan.ownSlots.indices where scratch.plan.ownSlots[index] >= 0 {
            table.withValueBytes(own.ids[index]) { scratch.setBase(scratch.plan.ownSlots[index], $0) }
        }
        for seed in seeds where scratch.value(seed.slot).isEmpty { scratch.set(seed.slot, seed.value) }
        scratch.set(disableSharding, trueText)
        guard scratch.run(relabeling) == nil else { return false }
        scratch.delete(disableSharding)
        return true
    }

    private func hashAdded(_ scratch: inout RelabelScratch) {
        var next = 0
        if scratch.plan.hasNoSeedNames {
            // Then the seeds were added first, one for one; what the rules left alone is constant, and mostly in a row.
            while next < seeds.count {
                let start = next
                while next < seeds.count, scratch.added[next].isStill(seeds[next]) { next += 1 }
                if next > start {
                    scratch.hashInput.append(
                        UnsafeRawBufferPointer(
                            rebasing: constantSuffix[seeds[start].pairStart..<seeds[next - 1].pairEnd]))
                } else {
                    scratch.hashAdded(next)
                    next += 1
                }
            }
        }
        for index in next..<scratch.added.count { scratch.hashAdded(index) }
    }

    @inline(__always)
    private func hashMerged(_ own: borrowing LabelSet, _ scratch: inout RelabelScratch, skipsTouched: Bool) {
        scratch.hashInput.reset()
        for index in scratch.plan.hashParts.indices {
            let part = scratch.plan.hashParts[index]
            if skipsTouched, part.slot >= 0, scratch.isTouched(part.slot) { continue }
            if part.own < 0 {
                scratch.appendConstant(part)
            } else if !table.hasEmptyValue(own.ids[part.own]) {
                table.withPairBytes(own.ids[part.own]) { scratch.hashInput.append($0) }
            }
        }
    }
}

extension RelabelScratch.Added {
    /// Whether the label is as seeding left it.
    @inline(__always)
    fileprivate func isStill(_ seed: TargetBuilder.Seed) -> Bool {
        slot == seed.slot && value.baseAddress == seed.value.baseAddress && value.count == seed.value.count
    }
}

extension RelabelScratch {
    /// Hashes a label that was set, unless it was deleted since or its name starts with `__meta_`.
    @inline(__always)
    fileprivate mutating func hashAdded(_ index: Int) {
        let label = added[index]
        guard label.slot >= 0 else { return }
        let name = names.names[Int(label.slot)]
        if !name.isMeta { hashInput.append(name: name.bytes, value: label.value) }
    }

    /// Puts the `__meta_` labels that the rules name into the base.
    fileprivate mutating func addMetaToBase(_ relabeling: CompiledRelabeling, in table: LabelTable) {
        for (place, slot) in relabeling.metaSlots.enumerated() {
            let name = relabeling.names[Int(slot)]
            metaPlaces[place].update(in: plan.merged, table) { id in
                table.withNameBytes(id) { ByteOrder.compare($0, name.bytes) < 0 }
            }
            guard metaPlaces[place].isAt(name.id) else { continue }
            table.withValueBytes(plan.merged[metaPlaces[place].index]) { setBase(slot, $0) }
        }
    }

    @inline(__always)
    fileprivate mutating func appendConstant(_ part: GroupPlan.HashPart) {
        hashInput.append(UnsafeRawBufferPointer(rebasing: plan.constant.bytes[part.start..<part.start &+ part.count]))
    }
}
