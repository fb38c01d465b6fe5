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
    private struct Seed {
        var slot: Int32
        var value: UnsafeRawBufferPointer
    }

    private let table: LabelTable
    /// Nil: no filter, no seeding.
    private let relabeling: CompiledRelabeling?
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
        disableSharding = relabeling.slot(of: Self.disableShardingName)
        var seeds: [Seed] = []
        var suffix: [UInt8] = []
        for (name, value) in seeded {
            let slot = relabeling.slot(of: name)
            // Of a parameter given twice the first counts.
            if seeds.contains(where: { $0.slot == slot }) { continue }
            seeds.append(Seed(slot: slot, value: storage.copy(value)))
            suffix += Array(name.utf8) + [0xFF] + Array(value.utf8) + [0xFF]
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
            let address = scratch.plan.ownAddress >= 0 ? own.ids[scratch.plan.ownAddress] : scratch.plan.groupAddress
            targets.append(
                IdentifiedTarget(
                    identity: TargetIdentity(rawValue: identity), labels: scratch.plan.merged(group.labels, own),
                    address: address
                )
            )
        }
        return dropped
    }

    private func makePlan(_ group: LabelSet, _ own: LabelSet, _ scratch: inout RelabelScratch) {
        scratch.plan.begin(group, own, in: table)
        scratch.beginBase()
        for index in scratch.plan.segments.indices {
            let segment = scratch.plan.segments[index]
            for id in group.ids[segment.start..<segment.start + segment.count] {
                let slot = relabeling == nil ? -1 : scratch.addToBase(id, in: table)
                let isAddress = table.nameID(id) == addressName
                scratch.plan.addGroupLabel(id, slot: slot, isAddress: isAddress, in: table)
            }
            if segment.own >= 0 {
                let id = own.ids[segment.own]
                let slot = relabeling == nil ? -1 : scratch.addToBase(id, in: table)
                let isAddress = table.nameID(id) == addressName
                scratch.plan.addOwnLabel(id, slot: slot, isAddress: isAddress, in: table)
            }
        }
        guard let relabeling else { return scratch.plan.hasConstantSeeds = true }
        scratch.plan.hasConstantSeeds =
            relabeling.steps.isEmpty && !scratch.isInBase(disableSharding)
            && seeds.allSatisfy { !scratch.isInBase($0.slot) }
    }

    /// The identity; nil: dropped.
    @inline(__always)
    private func identify(_ own: borrowing LabelSet, _ scratch: inout RelabelScratch) -> UInt64? {
        if let relabeling, !scratch.plan.hasConstantSeeds {
            guard relabel(own, relabeling, &scratch) else { return nil }
            hashMerged(own, &scratch, skipsTouched: true)
            for index in scratch.added.indices where scratch.added[index].slot >= 0 {
                let name = scratch.names.names[Int(scratch.added[index].slot)]
                if !name.isMeta { scratch.hashInput.append(name: name.bytes, value: scratch.added[index].value) }
            }
            scratch.hashInput.append(job)
        } else {
            hashMerged(own, &scratch, skipsTouched: false)
            scratch.hashInput.append(constantSuffix)
        }
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

extension RelabelScratch {
    @inline(__always)
    fileprivate mutating func appendConstant(_ part: GroupPlan.HashPart) {
        plan.constant.withUnsafeBytes { bytes in
            hashInput.append(UnsafeRawBufferPointer(rebasing: bytes[part.start..<part.start &+ part.count]))
        }
    }
}
