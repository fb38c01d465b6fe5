//
// Truth.swift: what there really is to be discovered, and what each process has seen of it.
//

import AllocationCore

/// A place where a target may be found.
struct SourcePlace: Hashable, Comparable {
    let job: String
    let source: String

    static func < (a: SourcePlace, b: SourcePlace) -> Bool {
        a.job != b.job ? a.job < b.job : a.source < b.source
    }
}

/// Targets and collectors as they are now.
final class Truth {
    static let jobs = ["a", "b"]
    static let places = jobs.flatMap { job in ["s", "t"].map { SourcePlace(job: job, source: $0) } }
    static let targetsPerPlace = 4
    static let collectorNames = ["c0", "c1", "c2", "c3"]

    let table = LabelTable()
    /// For each place which targets there are, and which labels each has.
    private(set) var targets: [SourcePlace: [(isThere: Bool, generation: Int)]] = [:]
    private(set) var collectors: Set<String>
    private var made: [String: IdentifiedTarget] = [:]

    init(_ simulation: Simulation) {
        for place in Self.places {
            targets[place] = (0..<Self.targetsPerPlace).map { _ in (simulation.chance(0.6), 0) }
        }
        collectors = Set(Self.collectorNames.prefix(1 + simulation.number(below: 3)))
    }

    /// One target comes, goes or gets other labels, or one collector comes or goes. There is always a collector.
    func change(_ simulation: Simulation) {
        if simulation.chance(0.2) {
            let name = Self.collectorNames[simulation.number(below: Self.collectorNames.count)]
            if !collectors.contains(name) {
                collectors.insert(name)
            } else if collectors.count > 1 {
                collectors.remove(name)
            }
        } else {
            let place = Self.places[simulation.number(below: Self.places.count)]
            let index = simulation.number(below: Self.targetsPerPlace)
            guard var target = targets[place]?[index] else { return }
            if target.isThere, simulation.chance(0.3) { target.generation += 1 } else { target.isThere.toggle() }
            targets[place]?[index] = target
        }
    }

    func found(at place: SourcePlace) -> ContiguousArray<IdentifiedTarget> {
        var found = ContiguousArray<IdentifiedTarget>()
        for (index, target) in (targets[place] ?? []).enumerated() where target.isThere {
            found.append(self.target(place, index, target.generation % 3))
        }
        return found
    }

    private func target(_ place: SourcePlace, _ index: Int, _ generation: Int) -> IdentifiedTarget {
        let name = "\(place.job)/\(place.source)/\(index)/\(generation)"
        if let target = made[name] { return target }
        let address = table.intern("__address__", "\(place.job)-\(place.source)-\(index):80")
        // A target of the same identity in another source of the job would be the same target; here none is.
        let source = UInt64(place.source == "s" ? 0 : 1)
        let target = IdentifiedTarget(
            identity: TargetIdentity(rawValue: source * 100 + UInt64(index) + 1),
            labels: LabelSet(unsorted: [address, table.intern("__meta_generation", "\(generation)")], in: table),
            address: address)
        made[name] = target
        return target
    }
}

/// What one process has seen, as its discovery and its collector watch keep it.
struct Sight {
    private(set) var groups: [SourcePlace: ContiguousArray<IdentifiedTarget>] = [:]
    private(set) var collectors: Set<String>?
    /// Whatever one of its looks did not find, of what a later look may have found again.
    private(set) var missed: [SourcePlace: Set<UInt64>] = [:]
    private(set) var missedCollectors: Set<String> = []

    mutating func look(at place: SourcePlace, _ found: ContiguousArray<IdentifiedTarget>) {
        groups[place] = found
        let base = place.source == "s" ? 0 : 100
        let all = Set((0..<Truth.targetsPerPlace).map { UInt64(base + $0 + 1) })
        missed[place, default: []].formUnion(all.subtracting(found.map(\.identity.rawValue)))
    }

    mutating func look(atCollectors found: Set<String>) {
        collectors = found
        missedCollectors.formUnion(Set(Truth.collectorNames).subtracting(found))
    }

    func isSynchronised(_ job: String) -> Bool { Truth.places.allSatisfy { $0.job != job || groups[$0] != nil } }

    /// Whether this process has any reason to say that a target is gone.
    func hasMissed(_ target: TargetPlace) -> Bool {
        let source = target.identity.rawValue > 100 ? "t" : "s"
        return isSynchronised(target.job)
            && missed[SourcePlace(job: target.job, source: source)]?.contains(target.identity.rawValue) == true
    }
}
