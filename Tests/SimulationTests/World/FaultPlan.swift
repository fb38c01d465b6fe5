//
// FaultPlan.swift: which faults a run has, and how often: a random part of them at random rates (swarm testing), because
// all of them at once hide what two of them do.
//
// Source: Alex Groce and others, "Swarm Testing" (2012).
//

/// The faults of one run.
struct FaultPlan {
    enum Kind: String, CaseIterable {
        case cut, crash, stop, suspend, shutDown, databaseCrash, sessionsEnd, readOnly, full, slow, databaseClock
        case wallClock, deafness, failover, diskFull, unheardCommits
    }

    enum Scope: Sendable {
        /// Lease, append and following, on a database that keeps what it has committed.
        case recording
        /// Besides: a database that loses commits, and replicas that go on without it.
        case everything

        /// One half of the seeds each.
        init(seed: UInt64) { self = seed.isMultiple(of: 2) ? .everything : .recording }
    }

    /// Seconds between two faults of a kind, on average.
    private(set) var intervals: [(kind: Kind, seconds: Double)] = []
    /// The chance of a packet that takes long.
    let spikes: Double
    let lostNotifications: Double
    let doubledNotifications: Double
    let clockRates: ClosedRange<Double>
    /// Seconds between two changes of the world.
    let churn: Double
    let replicas: Int
    /// `on_database_outage: continue`
    let proceeds: Bool

    init(_ simulation: Simulation, scope: Scope) {
        for kind in Kind.allCases where simulation.chance(0.4) {
            if scope == .recording, kind == .failover { continue }
            // What orders one repair and a lost one is the database's clock.
            if kind == .failover, intervals.contains(where: { $0.kind == .databaseClock }) { continue }
            intervals.append((kind, 2 + 30 * simulation.fraction() * simulation.fraction()))
        }
        spikes = simulation.chance(0.5) ? simulation.fraction() * 0.1 : 0
        lostNotifications = simulation.chance(0.3) ? simulation.fraction() : 0
        doubledNotifications = simulation.chance(0.3) ? simulation.fraction() : 0
        clockRates = simulation.chance(0.5) ? 0.97...1.03 : 1...1
        churn = 0.3 + 3 * simulation.fraction()
        replicas = simulation.chance(0.7) ? 3 : 2
        proceeds = simulation.chance(0.5) && scope == .everything
    }

    func has(_ kind: Kind) -> Bool { intervals.contains { $0.kind == kind } }

    /// Whether a lease can be given away while its holder has every reason to trust it.
    var canBreakLeases: Bool { has(.databaseClock) || has(.failover) }
}

extension Cluster {
    /// Lets the faults begin.
    func beginFaults(until end: SimulatedTime) {
        for slot in slots {
            slot.link.spikes = plan.spikes
            slot.link.lostNotifications = plan.lostNotifications
            slot.link.doubledNotifications = plan.doubledNotifications
        }
        for (kind, seconds) in plan.intervals { schedule(kind, every: seconds, until: end) }
    }

    private func schedule(_ kind: FaultPlan.Kind, every seconds: Double, until end: SimulatedTime) {
        let next = simulation.now + simulation.seconds(0.1...(2 * seconds))
        guard next < end else { return }
        simulation.at(next) { [self] in
            inject(kind)
            schedule(kind, every: seconds, until: end)
        }
    }

    /// Everything is well from here on, apart from what is under way.
    func endFaults() {
        simulation.note("world", "the faults end")
        for slot in slots {
            slot.link.heal()
            slot.link.spikes = 0
            slot.link.lostNotifications = 0
            slot.link.doubledNotifications = 0
            slot.replica?.process.resume()
            if slot.replica?.process.isAlive != true { start(slot) }
        }
        for slot in slots { slot.disk.isFull = false }
        database.isReadOnly = false
        database.isFull = false
        database.unheardCommits = 0
        database.slowness = 0
        if !database.isUp { database.start() }
    }

    private func inject(_ kind: FaultPlan.Kind) {
        let slot = slots[simulation.number(below: slots.count)]
        // Half of the time the one who leads.
        let chosen = simulation.chance(0.5) ? slots.first { $0.replica?.token != nil } ?? slot : slot
        let time = simulation.chance(0.5) ? simulation.seconds(0.01...2) : simulation.seconds(1...25)
        faultCount += 1
        switch kind {
        case .cut:
            let directions: [Link.Direction] = [[.toServer], [.toClient], [.toServer, .toClient]][
                simulation.number(below: 3)]
            let isLosing = simulation.chance(0.5)
            simulation.note("world", "cuts \(chosen.name) off \(directions) for \(Simulation.text(time)) s")
            // What waits in it is sent again soon after it, so not long after all faults have ended.
            chosen.link.cut(directions, for: min(time, Self.faultsEnd - simulation.now), losing: isLosing)
        case .crash:
            simulation.note("world", "kills \(chosen.name)")
            chosen.replica?.process.kill()
            chosen.disk.crash(simulation)
            restart(chosen, after: time)
        case .stop:
            simulation.note("world", "stops \(chosen.name) for \(Simulation.text(time)) s")
            guard let process = chosen.replica?.process else { return }
            process.stop()
            simulation.after(time) { process.resume() }
        case .suspend:
            simulation.note("world", "\(chosen.name)'s clock jumps by \(Simulation.text(time)) s")
            chosen.replica?.process.jump(time)
        case .shutDown:
            guard let replica = chosen.replica, replica.process.isAlive else { return }
            simulation.note("world", "ends \(chosen.name)")
            replica.shutDown { [self] in
                replica.process.kill()
                restart(chosen, after: time)
            }
        case .databaseCrash:
            database.crash()
            simulation.after(time) { [self] in if !database.isUp { database.start() } }
        case .sessionsEnd:
            simulation.note("world", "ends the database's sessions")
            database.endSessions()
        case .readOnly:
            database.isReadOnly = true
            simulation.after(time) { [self] in database.isReadOnly = false }
        case .full:
            database.isFull = true
            simulation.after(time) { [self] in database.isFull = false }
        case .slow:
            database.slowness = simulation.seconds(0.05...3)
            simulation.after(time) { [self] in database.slowness = 0 }
        case .databaseClock:
            let by = simulation.seconds(-20...20)
            simulation.note("world", "sets the database's clock by \(by / 1_000_000) s")
            database.clockOffset += by
        case .diskFull:
            chosen.disk.isFull = true
            simulation.after(time) { chosen.disk.isFull = false }
        case .failover:
            let lag = simulation.chance(0.3) ? 0 : simulation.seconds(0...5)
            simulation.note("world", "a standby takes over that was \(Simulation.text(lag)) s behind")
            oracle.lost(database.promote(lag: lag))
        case .deafness:
            simulation.note("world", "listening sessions go deaf")
            database.deafen()
        case .unheardCommits:
            database.unheardCommits = simulation.chance(0.5) ? 1 : simulation.fraction()
            simulation.after(min(time, .seconds(5))) { [self] in database.unheardCommits = 0 }
        case .wallClock: chosen.replica?.process.wallOffset = simulation.seconds(-3600...3600)
        }
    }

    private func restart(_ slot: Slot, after time: SimulatedTime) {
        simulation.after(time) { [self] in if slot.replica?.process.isAlive != true { start(slot) } }
    }
}
