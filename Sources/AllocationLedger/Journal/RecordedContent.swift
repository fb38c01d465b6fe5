//
// RecordedContent.swift: a change of the allocation, or a whole state, as bytes that need nothing else to be read.
//
// What the journal keeps of an entry and what the state file keeps of the state. Each text stands once; a target's labels
// are numbers of pairs. Numbers are little endian, in seven bits a byte where they are mostly small (LEB128).
//

import AllocationCore

/// A change by names, and the configuration that came with it.
package struct RecordedContent: Sendable {
    package var change: AllocationChange
    /// Nil: the configuration stays.
    package var configuration: ConfigurationRecord?

    package init(change: AllocationChange, configuration: ConfigurationRecord?) {
        self.change = change
        self.configuration = configuration
    }

    private static let version: UInt8 = 1

    private enum Flags {
        static let before: UInt8 = 1
        static let after: UInt8 = 2
        /// Labels and address are the same before and after, and stand once.
        static let sameLabels: UInt8 = 4
    }

    // MARK: Writing

    package func encoded(in table: LabelTable) -> [UInt8] {
        var writer = ByteWriter()
        writer.byte(Self.version)
        let (jobs, collectors, pairs) = numbers(table)
        writer.count(jobs.order.count)
        for job in jobs.order { writer.text(change.jobs[Int(job)]) }
        writer.count(collectors.order.count)
        for number in collectors.order {
            let collector = change.collectorTable[Int(number)]
            writer.text(collector.name)
            writer.optional(collector.nodeName)
            writer.optional(collector.uid)
        }
        writer.count(pairs.order.count)
        for pair in pairs.order {
            let id = LabelID(rawValue: pair)
            table.withNameBytes(id) { writer.bytes($0) }
            table.withValueBytes(id) { writer.bytes($0) }
        }
        writer.count(change.targets.count)
        for target in change.targets {
            writer.count(jobs[UInt32(target.job.rawValue)])
            writer.fixed(target.identity.rawValue)
            writer.count(Int(target.reason.rawValue))
            let sameLabels =
                target.before != nil && target.before?.labels == target.after?.labels
                && target.before?.address == target.after?.address
            writer.byte(
                (target.before == nil ? 0 : Flags.before) | (target.after == nil ? 0 : Flags.after)
                    | (sameLabels ? Flags.sameLabels : 0))
            if let before = target.before { write(before, collectors, pairs, withLabels: true, &writer) }
            if let after = target.after { write(after, collectors, pairs, withLabels: !sameLabels, &writer) }
        }
        writer.count(change.collectors.count)
        for collector in change.collectors {
            writer.count(Int(collector.kind.rawValue))
            writer.count(collectors[UInt32(collector.collector.rawValue)])
            writer.text(collector.evidence)
        }
        write(change.placement, &writer)
        writer.optional(configuration?.redactedText)
        return writer.bytes
    }

    private func write(
        _ state: TargetState, _ collectors: Numbering, _ pairs: Numbering, withLabels: Bool,
        _ writer: inout ByteWriter
    ) {
        if withLabels {
            writer.count(state.labels.count)
            for id in state.labels.ids { writer.count(pairs[id.rawValue]) }
            writer.count(state.address.map { pairs[$0.rawValue] + 1 } ?? 0)
        }
        writer.count(state.collector.map { collectors[UInt32($0.rawValue)] + 1 } ?? 0)
    }

    private func write(_ placement: Placement, _ writer: inout ByteWriter) {
        writer.text(placement.strategy)
        writer.optional(placement.ringVersion)
        writer.count(placement.members.count)
        for member in placement.members { writer.text(member) }
        writer.count(placement.partitionOwners.count)
        for owner in placement.partitionOwners { writer.count(Int(owner)) }
        writer.optional(placement.note)
    }

    /// Numbers for what the change names, in the order in which it does.
    private func numbers(_ table: LabelTable) -> (jobs: Numbering, collectors: Numbering, pairs: Numbering) {
        var (jobs, collectors, pairs) = (Numbering(), Numbering(), Numbering())
        for target in change.targets {
            jobs.add(UInt32(target.job.rawValue))
            for state in [target.before, target.after] {
                guard let state else { continue }
                for id in state.labels.ids { pairs.add(id.rawValue) }
                if let address = state.address { pairs.add(address.rawValue) }
                if let collector = state.collector { collectors.add(UInt32(collector.rawValue)) }
            }
        }
        for collector in change.collectors { collectors.add(UInt32(collector.collector.rawValue)) }
        return (jobs, collectors, pairs)
    }

    private struct Numbering {
        private(set) var order: ContiguousArray<UInt32> = []
        private var numbers: [UInt32: Int] = [:]

        subscript(_ key: UInt32) -> Int { numbers[key] ?? 0 }

        mutating func add(_ key: UInt32) {
            guard numbers[key] == nil else { return }
            numbers[key] = order.count
            order.append(key)
        }
    }

    // MARK: Reading

    /// - Returns: Nil when the bytes are none of ours; whoever asks has their digest and knows that they are whole.
    package init?(_ bytes: [UInt8], into table: LabelTable) {
        var reader = ByteReader(bytes)
        guard reader.byte() == Self.version else { return nil }
        var jobs: [String] = []
        for _ in 0..<reader.length() { jobs.append(reader.text()) }
        var collectors: [Collector] = []
        for _ in 0..<reader.length() {
            collectors.append(
                Collector(name: reader.text(), nodeName: reader.optional(), uid: reader.optional()))
        }
        let pairs = table.intern { interner in
            var pairs = ContiguousArray<LabelID>()
            let count = reader.length()
            pairs.reserveCapacity(count)
            for _ in 0..<count {
                let (name, value) = (reader.range(), reader.range())
                reader.withBytes { bytes in
                    pairs.append(
                        interner.intern(
                            name: UnsafeRawBufferPointer(rebasing: bytes[name]),
                            value: UnsafeRawBufferPointer(rebasing: bytes[value])))
                }
            }
            return pairs
        }
        var targets = ContiguousArray<TargetChange>()
        let targetCount = reader.length()
        targets.reserveCapacity(targetCount)
        for _ in 0..<targetCount {
            guard let target = Self.target(&reader, pairs, jobs: jobs.count, collectors: collectors.count) else {
                return nil
            }
            targets.append(target)
        }
        var changes: [CollectorChange] = []
        for _ in 0..<reader.length() {
            let (kind, number, evidence) = (reader.count(), reader.count(), reader.text())
            guard let kind = Int16(exactly: kind).flatMap(CollectorChangeKind.init(rawValue:)),
                number < collectors.count
            else { return nil }
            changes.append(
                CollectorChange(kind: kind, collector: CollectorNumber(rawValue: Int32(number)), evidence: evidence))
        }
        let (strategy, version) = (reader.text(), reader.optional())
        var members: [String] = []
        for _ in 0..<reader.length() { members.append(reader.text()) }
        var owners: [UInt16] = []
        for _ in 0..<reader.length() { owners.append(UInt16(truncatingIfNeeded: reader.count())) }
        let note = reader.optional()
        let configuration = reader.optional()
        guard reader.isAtEnd else { return nil }
        change = AllocationChange(
            targets: targets, collectors: changes, jobs: jobs, collectorTable: collectors,
            placement: Placement(
                strategy: strategy, ringVersion: version, members: members, partitionOwners: owners, note: note))
        self.configuration = configuration.map { ConfigurationRecord(redactedText: $0) }
    }

    private static func target(
        _ reader: inout ByteReader, _ pairs: ContiguousArray<LabelID>, jobs: Int, collectors: Int
    ) -> TargetChange? {
        let (job, identity, reason, flags) = (reader.count(), reader.fixed(), reader.count(), reader.byte())
        guard job < jobs, let reason = Int16(exactly: reason).flatMap(Reason.init(rawValue:)) else { return nil }
        func labels() -> (LabelSet, LabelID?)? {
            var ids = ContiguousArray<LabelID>()
            let count = reader.length()
            ids.reserveCapacity(count)
            for _ in 0..<count {
                let pair = reader.count()
                guard pair < pairs.count else { return nil }
                ids.append(pairs[pair])
            }
            let address = reader.count()
            guard address <= pairs.count else { return nil }
            return (LabelSet(sortedUnique: ids), address == 0 ? nil : pairs[address - 1])
        }
        func state(_ labels: (LabelSet, LabelID?)) -> TargetState? {
            let collector = reader.count()
            guard collector <= collectors else { return nil }
            return TargetState(
                labels: labels.0, address: labels.1,
                collector: collector == 0 ? nil : CollectorNumber(rawValue: Int32(collector - 1)))
        }
        var (before, after): (TargetState?, TargetState?)
        if flags & Flags.before != 0 {
            guard let found = labels().flatMap(state) else { return nil }
            before = found
        }
        if flags & Flags.after != 0 {
            let known = flags & Flags.sameLabels != 0 ? before.map { ($0.labels, $0.address) } : labels()
            guard let found = known.flatMap(state) else { return nil }
            after = found
        }
        return TargetChange(
            job: JobNumber(rawValue: Int32(job)), identity: TargetIdentity(rawValue: identity), before: before,
            after: after, reason: reason)
    }
}
