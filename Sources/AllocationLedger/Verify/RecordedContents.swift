//
// RecordedContents.swift: what ids stand for: the dictionaries as the digests of events need them.
//
// A few dozen bytes for each target and label set. History is streamed past it, so memory follows the dictionaries and
// not the age of the ledger.
//

import AllocationCore

/// Values by id. Ids are given one after the other, so an array holds them; a row that somebody forged far off goes aside.
struct IDTable<Value> {
    private var dense: [Value?] = []
    private var sparse: [Int32: Value] = [:]

    subscript(id: Int32) -> Value? {
        get { id >= 0 && Int(id) < dense.count ? dense[Int(id)] : sparse[id] }
        set {
            if id >= 0, Int(id) <= 2 * dense.count + 1024 {
                while dense.count <= Int(id) { dense.append(nil) }
                dense[Int(id)] = newValue
            } else {
                sparse[id] = newValue
            }
        }
    }

    func forEach(_ body: (Int32, Value) -> Void) {
        for (id, value) in dense.enumerated() where value != nil {
            if let value { body(Int32(id), value) }
        }
        for (id, value) in sparse.sorted(by: { $0.key < $1.key }) { body(id, value) }
    }
}

/// The dictionaries.
struct RecordedContents {
    private struct Target {
        var job: Int32
        var identity: UInt64
        var address: Range<Int>
    }

    /// Encoded already, as a leaf has it.
    private var jobs = IDTable<[UInt8]>()
    private var collectors = IDTable<[UInt8]>()
    private var targets = IDTable<Target>()
    private var addresses: [UInt8] = []
    private var labelSets = IDTable<Digest32>()
    private(set) var rings: [Int32: Digest32] = [:]
    private(set) var configurations: [Int32: Digest32] = [:]
    private var encoder = RecordEncoder()

    mutating func add(job id: Int32, name: String) {
        encoder.clear()
        encoder.field(name)
        jobs[id] = encoder.bytes
    }

    mutating func add(collector id: Int32, name: String, uid: String) {
        encoder.clear()
        encoder.field(name)
        encoder.field(uid)
        collectors[id] = encoder.bytes
    }

    mutating func add(target id: Int32, job: Int32, identity: UInt64, address: String) {
        let start = addresses.count
        addresses.append(contentsOf: address.utf8)
        targets[id] = Target(job: job, identity: identity, address: start..<addresses.count)
    }

    mutating func add(labelSet id: Int32, digest: Digest32?) { labelSets[id] = digest }
    mutating func add(ring id: Int32, digest: Digest32?) { rings[id] = digest }
    mutating func add(configuration id: Int32, digest: Digest32?) { configurations[id] = digest }

    func has(target: Int32) -> Bool { targets[target] != nil }
    func has(collector: Int32) -> Bool { collectors[collector] != nil }
    func has(labelSet: Int32) -> Bool { labelSets[labelSet] != nil }
    func job(of target: Int32) -> (id: Int32, isThere: Bool)? { targets[target].map { ($0.job, jobs[$0.job] != nil) } }

    func address(of target: Int32) -> String {
        targets[target].map { String(decoding: addresses[$0.address], as: UTF8.self) } ?? "?"
    }

    // MARK: Leaves

    /// - Parameter ordinal: In place of the row's own.
    mutating func leaf(_ row: TargetEventRow, at ordinal: Int32? = nil) -> Digest32 {
        encoder.begin(type: "T")
        encoder.field(row.revision)
        encoder.field(Int64(ordinal ?? row.ordinal))
        let target = targets[row.target]
        if let job = target.flatMap({ jobs[$0.job] }) {
            job.withUnsafeBytes { encoder.fields($0) }
        } else {
            encoder.field("")
        }
        encoder.field(target?.identity ?? 0)
        let address = target?.address ?? 0..<0
        addresses.withUnsafeBytes { encoder.field(UnsafeRawBufferPointer(rebasing: $0[address])) }
        encode(collector: row.collectorBefore)
        encode(collector: row.collectorAfter)
        encoder.field(labelSets[row.labelSetBefore])
        encoder.field(labelSets[row.labelSetAfter])
        encoder.field(row.reason)
        encoder.field(row.flags)
        return encoder.digest
    }

    mutating func leaf(_ row: CollectorEventRow, at ordinal: Int32? = nil) -> Digest32 {
        encoder.begin(type: "C")
        encoder.field(row.revision)
        encoder.field(Int64(ordinal ?? row.ordinal))
        encoder.field(row.kind)
        if collectors[row.collector] == nil {
            encoder.field("")
            encoder.field("")
        } else {
            encode(collector: row.collector)
        }
        encoder.field(row.node)
        encoder.field(row.evidence)
        return encoder.digest
    }

    private mutating func encode(collector id: Int32) {
        if let collector = collectors[id] {
            collector.withUnsafeBytes { encoder.fields($0) }
        } else {
            encoder.absent()
            encoder.absent()
        }
    }
}
