//
// Cluster.swift: the replicas, the database and the world of one run.
//

import AllocationCore
import PostgresDriver

@testable import AllocationLedger

/// A place for a replica: what outlives its processes.
final class Slot {
    let name: String
    let link: Link
    let disk = SimulatedDisk()
    var replica: Replica?
    var lives = 0

    init(_ name: String, _ link: Link) {
        self.name = name
        self.link = link
    }
}

/// One run of the simulation.
final class Cluster {
    static let faultsEnd = SimulatedTime.seconds(40)
    /// When the last lost session and the last lease of somebody dead have run out.
    static let calmFrom = SimulatedTime.seconds(65)
    /// One may have begun just before; clocks run at different speeds, and a poll takes a while.
    static let twoPolls = SimulatedTime.seconds(2.2)
    static let changesEnd = SimulatedTime.seconds(70)
    static let end = SimulatedTime.seconds(75)

    let simulation: Simulation
    let database: SimulatedDatabase
    let truth: Truth
    let plan: FaultPlan
    let mutations: Mutations
    private(set) var slots: [Slot] = []
    private(set) lazy var oracle = LedgerOracle(self)
    private var processes: [UUID128: Replica] = [:]
    var faultCount = 0

    init(seed: UInt64, scope: FaultPlan.Scope, mutations: Mutations = [], isTraced: Bool = false) {
        simulation = Simulation(seed: seed, isTraced: isTraced)
        self.mutations = mutations
        plan = FaultPlan(simulation, scope: scope)
        database = SimulatedDatabase(simulation)
        truth = Truth(simulation)
        slots = (0..<plan.replicas).map { Slot("r\($0)", Link(simulation)) }
    }

    var replicas: [Replica] { slots.compactMap(\.replica) }

    func name(of holder: UUID128) -> String { processes[holder]?.process.name ?? "?" }

    func sight(of holder: UUID128) -> Sight? { processes[holder]?.sight }

    /// Puts a state on the disk in place of the one before.
    func keep(_ head: LedgerHead, _ state: AllocationState, ledTerm: Int64?, by replica: Replica) {
        replica.disk.kept = (head, state, ledTerm)
    }

    /// Whether the database holds another revision, or none, where this one was.
    func isLost(_ row: RevisionRow) -> Bool {
        // From behind: what is served was committed of late.
        guard let here = database.tables.revisions.last(where: { $0.number <= row.number }) else { return true }
        return here.digest != row.digest
    }

    /// Lets a life begin.
    func start(_ slot: Slot) {
        slot.lives += 1
        let rates = plan.clockRates
        let rate = rates.lowerBound + simulation.fraction() * (rates.upperBound - rates.lowerBound)
        let process = SimulatedProcess(simulation, name: "\(slot.name).\(slot.lives)", clockRate: rate)
        let replica = Replica(self, process, slot)
        slot.replica = replica
        processes[replica.holder] = replica
        simulation.note("world", "starts \(process.name)")
        replica.start()
    }

    /// Runs it to its end, or to the first violation.
    func run() {
        database.hasStandby = plan.has(.failover)
        database.countsSilentTerms = mutations.contains(.countsSilentTerms)
        database.renewsWhatRanOut = mutations.contains(.renewsWhatRanOut)
        database.onCommit = { [unowned self] in oracle.committed($0, $1, $2) }
        database.onLease = { [unowned self] in oracle.leaseHeld(at: $0) }
        database.onTerm = { [unowned self] in oracle.termBegins($0, at: $1) }
        database.onUnavailable = { [unowned self] in oracle.unavailable(from: $0, to: $1) }
        for slot in slots {
            simulation.after(simulation.seconds(0...2)) { [self] in if slot.lives == 0 { start(slot) } }
        }
        changeWorld()
        beginFaults(until: Self.faultsEnd)
        simulation.at(Self.faultsEnd) { [self] in endFaults() }
        simulation.run(until: Self.end)
        if simulation.violation == nil { oracle.checkEnd() }
        tearDown()
    }

    private func changeWorld() {
        simulation.after(simulation.seconds(0...(2 * plan.churn))) { [self] in
            guard simulation.now < Self.changesEnd else { return }
            truth.change(simulation)
            for replica in replicas {
                for place in Truth.places { replica.worldChanged(place) }
                replica.collectorsChanged()
            }
            changeWorld()
        }
    }

    /// Ends all tasks, so that nothing of it stays in memory.
    private func tearDown() {
        for replica in processes.values { replica.process.kill() }
        simulation.settle()
        database.crash()
        processes = [:]
        slots = []
    }
}
