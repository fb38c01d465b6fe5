//
// Replica.swift: one process of the program: the same deciding values as the real one, around simulated I/O.
//
// What is written here is what the actors do with those values: LeaseKeeper (Replica+Lease), LedgerWriter and
// AllocationWalk (Replica+Walk, Replica+Follow). It is kept in their order and under their names, so that the two can be compared.
//

import AllocationCore
import PostgresDriver

@testable import AllocationLedger
@testable import AllocatorRuntime

/// One guard taken out, to see whether the rules notice.
struct Mutations: OptionSet, Sendable {
    let rawValue: Int

    /// A lease is trusted for as long as nobody says otherwise.
    static let ignoresTrustWindow = Mutations(rawValue: 1 << 0)
    /// The transaction of a revision does not ask for the lease.
    static let skipsFence = Mutations(rawValue: 1 << 1)
    /// A commit that was not heard of is written again without a question.
    static let repeatsUnknownCommit = Mutations(rawValue: 1 << 2)
    /// It is looked up without waiting for the session that may still be at it.
    static let looksUpAtOnce = Mutations(rawValue: 1 << 3)
    /// What discovery has not found yet counts as gone.
    static let removesBeforeSynchronised = Mutations(rawValue: 1 << 4)
    /// A new leader writes on the head that it knows of, and does not look which there is.
    static let ignoresHead = Mutations(rawValue: 1 << 5)
    /// A change is written on whatever head there is, although it was made on another.
    static let adoptsHead = Mutations(rawValue: 1 << 12)
    /// A term that the fence has refused is renewed.
    static let renewsFencedTerm = Mutations(rawValue: 1 << 6)
    /// A follower applies what comes next, whatever it continues.
    static let skipsNumberCheck = Mutations(rawValue: 1 << 7)
    /// Numbers go on where the database's do, whatever was served.
    static let reusesNumbers = Mutations(rawValue: 1 << 8)
    /// A term goes on on another server than the one that gave the lease.
    static let crossesServers = Mutations(rawValue: 1 << 10)
    /// Numbers go on as far behind at any time, and a lost repair's come again.
    static let countsNoTime = Mutations(rawValue: 1 << 11)
    /// Gaps are stated while what is served is the journal's.
    static let statesWhileJournalling = Mutations(rawValue: 1 << 13)
    /// A state that was loaded in a recovery that did not end is gone on with.
    static let trustsHalfRecovered = Mutations(rawValue: 1 << 14)
    /// A term in which nothing was recorded counts as a time in which recording was certain.
    static let countsSilentTerms = Mutations(rawValue: 1 << 16)
    /// A lease that has run out is renewed by whatever comes late from whoever had it.
    static let renewsWhatRanOut = Mutations(rawValue: 1 << 17)
    /// A holder that cannot record states that it can.
    static let provesWhatFails = Mutations(rawValue: 1 << 18)
    /// What was stated once counts as stated, though the database has lost it.
    static let trustsStatements = Mutations(rawValue: 1 << 19)
    /// A batch is taken whatever was let go of since it was made.
    static let takesOldBatches = Mutations(rawValue: 1 << 20)
    /// A change that the journal does not take is recorded without what the journal holds.
    static let leavesJournalOut = Mutations(rawValue: 1 << 21)
    /// A time in which changes went to the journal under a lease that is held counts as recorded.
    static let countsJournalled = Mutations(rawValue: 1 << 22)
    /// What was served and lost counts as stated when the last of it is.
    static let countsTheLastOnly = Mutations(rawValue: 1 << 23)
    /// A request that the database has lost is waited for.
    static let asksOnce = Mutations(rawValue: 1 << 15)
    /// An entry of the journal is served before it is on the disk.
    static let servesBeforeSynchronised = Mutations(rawValue: 1 << 9)
}

/// As DiscoveryBatch: what was known when it was made.
struct DiscoveredPlaces {
    var groups: [SourcePlace: ContiguousArray<IdentifiedTarget>]
    var synchronisedJobs: Set<String>
    var handOver: Int
}

enum WalkInput {
    case waiting
    case leading(FencingToken)
    case lost
    case leaseRecovered(LeaseOutage)
    case discovery(DiscoveredPlaces)
    case collectors
    case tick
    case look
}

/// One life of one replica.
final class Replica {
    static let timeToLive = Duration.seconds(10)
    static let renewInterval = Duration.seconds(3)
    static let strategy = StrategyConfiguration.leastWeighted

    let cluster: Cluster
    let process: SimulatedProcess
    let link: Link
    let holder: UUID128
    let address: String
    var simulation: Simulation { cluster.simulation }
    var mutations: Mutations { cluster.mutations }

    // Lease
    var lease = LeaderLease(timeToLive: Replica.timeToLive)
    var leaseSession: ClientSession?
    var lastRenewal: Timestamp?
    var leaseOutage: String?
    var reportedHolder: String?
    /// A term whose lease is to be given up.
    var refusedToken: FencingToken?
    var isAsking = false
    var shouldAskAgain = false
    /// No term is taken that is not above it.
    var epochLost: Int64 = 0

    // Discovery
    var sight = Sight()
    var changed: Set<SourcePlace> = []
    /// As DiscoveryState counts full hand-overs.
    private var handOverCount = 0
    /// A batch is on its way to the walk; what comes up meanwhile waits for it.
    private var hasBatch = false
    /// As AllocationWalk.handOver.
    var handOver = 0

    // Tail
    var tail = FollowerLog()
    var hasForgottenDiscovery = false

    // Walk
    private var inbox: [WalkInput] = []
    private var wake: Completion<Void>?
    var writerSession: ClientSession?
    /// What the writer expects to find.
    var writerHead: LedgerHead?
    var pending: (changeID: UUID128, append: AppendProtocol)?
    var state: AllocationState
    var head: LedgerHead?
    var needsLoad = true
    var token: FencingToken?
    var gap = RecordingGap()
    let certainty = RecordingCertainty()
    /// What is served.
    var snapshot: AllocationSnapshot?
    var published: LedgerHead? { snapshot?.head }
    var publishedState: AllocationState
    /// Where in the journal what is served stands.
    var publishedJournal: JournalPosition? { snapshot?.journal }
    var served = ServedRevisions()
    /// For the oracle, each revision that was ever served.
    var everServed: [LedgerHead] = []
    var outage: Outage
    var isWaiting = false
    let disk: SimulatedDisk

    init(_ cluster: Cluster, _ process: SimulatedProcess, _ slot: Slot) {
        self.cluster = cluster
        self.process = process
        link = slot.link
        disk = slot.disk
        address = slot.name
        holder = UUID128(high: cluster.simulation.bits(), low: cluster.simulation.bits())
        state = AllocationState(table: cluster.truth.table, strategy: Self.strategy)
        publishedState = state
        outage = Outage(
            policy: OutagePolicy(mode: cluster.plan.proceeds ? .proceed : .hold, leaseTimeToLive: Self.timeToLive),
            probesAt: process.now)
    }

    func start() {
        run { try await self.keepLease() }
        run { try await self.walk() }
        run { try await self.poll() }
        run { try await self.listen() }
        run {
            while true {
                try await self.process.sleep(.seconds(1))
                self.send(.tick)
            }
        }
        for place in Truth.places { look(at: place, after: simulation.seconds(0.1...3)) }
        lookAtCollectors(after: simulation.seconds(0.1...2))
    }

    func run(_ body: @escaping () async throws -> Void) {
        simulation.spawn {
            do { try await body() } catch Fault.died {} catch {
                self.simulation.violate(.catchUp, "\(self.process.name) gave up: \(error)")
            }
        }
    }

    /// SIGTERM: the lease is given up, then the process ends.
    func shutDown(_ then: @escaping () -> Void) {
        run {
            await self.release()
            then()
        }
    }

    // MARK: The walk's inbox

    func send(_ input: WalkInput) {
        // As a stream that keeps the newest element only.
        if case .look = input, inbox.contains(where: { if case .look = $0 { true } else { false } }) { return }
        inbox.append(input)
        wake?.succeed(())
        wake = nil
    }

    func next() async throws(Fault) -> WalkInput {
        while inbox.isEmpty { try await process.wait { (completion: Completion<Void>) in wake = completion } }
        // An actor's turn may take a while to come.
        if simulation.chance(0.02) { try await process.pause(simulation.seconds(0...0.05)) }
        return inbox.removeFirst()
    }

    // MARK: Discovery

    /// As DiscoveryManager.requestFullHandOver.
    func requestFullHandOver() {
        handOverCount += 1
        handOver = handOverCount
        changed.formUnion(sight.groups.keys)
        sendBatch()
    }

    /// As DiscoveryManager.nextBatch: one batch at a time, with all that has come up.
    private func sendBatch() {
        guard !hasBatch else { return }
        hasBatch = true
        let batch = DiscoveredPlaces(
            groups: sight.groups.filter { changed.contains($0.key) },
            synchronisedJobs: Set(Truth.jobs.filter { sight.isSynchronised($0) }), handOver: handOverCount)
        changed = []
        send(.discovery(batch))
    }

    func batchIsTaken() {
        hasBatch = false
        if !changed.isEmpty { sendBatch() }
    }

    /// The world has changed, and after a while this process sees it.
    func worldChanged(_ place: SourcePlace) { look(at: place, after: simulation.seconds(0.01...2)) }

    func collectorsChanged() { lookAtCollectors(after: simulation.seconds(0.01...1)) }

    private func look(at place: SourcePlace, after delay: SimulatedTime) {
        simulation.after(delay) { [self] in
            process.deliver { [self] in
                let found = cluster.truth.found(at: place)
                guard sight.groups[place] != found else { return }
                sight.look(at: place, found)
                changed.insert(place)
                sendBatch()
            }
        }
    }

    private func lookAtCollectors(after delay: SimulatedTime) {
        simulation.after(delay) { [self] in
            process.deliver { [self] in
                guard sight.collectors != cluster.truth.collectors else { return }
                sight.look(atCollectors: cluster.truth.collectors)
                send(.collectors)
            }
        }
    }

    func note(_ text: @autoclosure () -> String) { simulation.note(process.name, text()) }
}
