//
// FaultCluster+Inject.swift: does one thing to the replicas or to their database, and undoes it.
//

import Foundation
import Glibc
import Synchronization

extension FaultCluster {
    /// What has been done.
    struct Outcome: Sendable {
        var kind: FaultKind
        var lasted: Duration
        var endedAt: ContinuousClock.Instant
        /// Nil: how long nothing was recorded tells.
        var effect: FaultEffect?
    }

    /// Does it for its time. Blocks its thread.
    func inject(_ fault: PlannedFault) throws -> Outcome {
        sleep(fault.startsAfter)
        switch fault.kind.place {
        case .leader, .follower: return try harmProcess(fault)
        case .anyConnection: return harmConnection(fault)
        case .database: return try harmDatabase(fault)
        }
    }

    private func sleep(_ duration: Duration) {
        // How long a fault lasts is what is asked for.
        if duration > .zero { usleep(UInt32(duration / .microseconds(1))) }
    }

    // MARK: Processes

    /// Takes a replica for a fault, the leader or another one where there is one.
    private func take(_ place: FaultKind.Place, _ choice: Int) -> (replica: Int, isLeader: Bool) {
        let leader = pollers.first { $0.current.isLeading }?.replica
        return busy.withLock { busy in
            let free = (0..<Self.replicaCount).filter { !busy.contains($0) }
            let others = free.filter { $0 != leader }
            var chosen = others.isEmpty ? free[choice % free.count] : others[choice % others.count]
            if place == .leader, let leader, free.contains(leader) { chosen = leader }
            busy.insert(chosen)
            return (chosen, chosen == leader)
        }
    }

    private func harmProcess(_ fault: PlannedFault) throws -> Outcome {
        let (index, isLeader) = take(fault.kind.place, fault.choice)
        defer { busy.withLock { _ = $0.remove(index) } }
        let kind = fault.kind.done(toLeader: isLeader)
        let (replica, poller) = (replicas[index], pollers[index])
        poller.forget()
        let began = ContinuousClock.now
        switch kind {
        case .killLeader, .killFollower:
            replica.kill()
            poller.nextLife()
            sleep(fault.lasts)
            try replica.start()
        case .handOver, .restartFollower:
            terminate(index)
            poller.nextLife()
            sleep(fault.lasts)
            try replica.start()
        default:
            guard let process = replica.identifier else { break }
            Glibc.kill(process, SIGSTOP)
            sleep(fault.lasts)
            Glibc.kill(process, SIGCONT)
        }
        let ended = ContinuousClock.now
        // Until it answers again its silence is not known; a start without the database may take longer.
        let deadline = ended + .seconds(10)
        while ContinuousClock.now < deadline, poller.current.answeredAt.map({ $0 < ended }) ?? true { usleep(10_000) }
        return Outcome(
            kind: kind, lasted: began.duration(to: ended), endedAt: ended,
            effect: FaultEffect(value: Int(poller.current.silence / .milliseconds(1)), unit: "ms without an answer"))
    }

    /// Asks it to stop, which it has to do in time and by itself.
    private func terminate(_ index: Int) {
        let replica = replicas[index]
        replica.terminate()
        let deadline = ContinuousClock.now + .seconds(20)
        while replica.isRunning, ContinuousClock.now < deadline { usleep(5_000) }
        if replica.isRunning {
            checker.with { $0.violated("replica \(index) did not stop within 20 s:\n\(replica.log.suffix(2000))") }
            return replica.kill()
        }
        let status = replica.stop()
        if status != 0 { checker.with { $0.violated("replica \(index) stopped with status \(status)") } }
    }

    // MARK: Connections

    private func harmConnection(_ fault: PlannedFault) -> Outcome {
        let leader = pollers.first { $0.current.isLeading }?.replica
        let index = fault.choice < Self.replicaCount ? fault.choice : leader ?? fault.choice % Self.replicaCount
        let proxy = proxies[index]
        let (before, began) = (proxy.counts, ContinuousClock.now)
        switch fault.kind {
        case .delay: proxy.mode = .delay(milliseconds: 50 << (fault.choice % 5))
        case .drop: proxy.mode = .drop
        case .halfOpenClient: proxy.mode = .halfOpenClient
        case .halfOpenServer: proxy.mode = .halfOpenServer
        default: proxy.mode = .reset
        }
        sleep(fault.lasts)
        proxy.mode = .pass
        let harmed = proxy.counts.connectionsHarmed - before.connectionsHarmed
        return Outcome(
            kind: fault.kind, lasted: began.duration(to: .now), endedAt: .now,
            effect: FaultEffect(value: harmed, unit: "connections harmed"))
    }

    // MARK: The database

    private func harmDatabase(_ fault: PlannedFault) throws -> Outcome {
        let began = ContinuousClock.now
        let server = primary
        var effect: FaultEffect?
        switch fault.kind {
        case .databaseKill:
            server.crash()
            sleep(fault.lasts)
            try server.startAgain()
        case .databaseStop, .databaseRestart:
            try server.stop()
            sleep(fault.lasts)
            try server.startAgain()
        case .databaseFreeze:
            server.freeze(true)
            sleep(fault.lasts)
            server.freeze(false)
        case .databaseReadOnly:
            try server.takeWrites(false)
            sleep(fault.lasts)
            try server.takeWrites(true)
        case .poolerKill:
            pooler?.kill()
            sleep(fault.lasts)
            try pooler?.start()
        case .poolerPause:
            pooler?.freeze(true)
            sleep(fault.lasts)
            pooler?.freeze(false)
        case .promotion: return try promote(fault)
        default: effect = try fillDisks(fault, server)
        }
        return Outcome(kind: fault.kind, lasted: began.duration(to: .now), endedAt: .now, effect: effect)
    }

    /// The primary dies with commits that its standby has not got; the standby goes on.
    private func promote(_ fault: PlannedFault) throws -> Outcome {
        let old = primary
        replication.mode = .pass
        let standby = try old.streamingStandby(through: replication)
        let began = ContinuousClock.now
        replication.mode = .drop
        let cut = head ?? 0
        sleep(fault.lasts)
        while head ?? 0 <= cut, began.duration(to: .now) < .seconds(10) { usleep(50_000) }
        let last = head ?? 0
        old.crash()
        replication.mode = .reset
        try standby.promoteRunning()
        let kept = Int64(try standby.value("SELECT revision FROM ledger.head")) ?? 0
        servers.withLock {
            $0.retired.append(old)
            $0.primary = standby
        }
        for proxy in proxies { proxy.upstream = standby.port }
        return Outcome(
            kind: fault.kind, lasted: began.duration(to: .now), endedAt: .now,
            effect: FaultEffect(value: Int(max(0, last - kept)), unit: "revisions lost"))
    }

    /// No byte is left for a journal, from before an outage or from within it.
    private func fillDisks(_ fault: PlannedFault, _ server: PlainServer) throws -> FaultEffect {
        for poller in pollers { poller.forget() }
        if fault.choice % 2 == 0 { for disk in disks { disk.fill() } }
        try server.stop()
        sleep(fault.lasts * 0.8)
        for disk in disks { disk.fill() }
        sleep(fault.lasts * 0.2)
        let told = pollers.reduce(0) { $0 + $1.current.journalFullAnswers }
        for disk in disks { disk.makeRoom() }
        try server.startAgain()
        return FaultEffect(value: told, unit: "answers said that the journal takes no more")
    }
}

extension FaultKind {
    /// What it is called once it is known whom it hit.
    func done(toLeader isLeader: Bool) -> FaultKind {
        switch self {
        case .killLeader, .killFollower: isLeader ? .killLeader : .killFollower
        case .pauseLeader, .pauseFollower: isLeader ? .pauseLeader : .pauseFollower
        case .pauseLeaderLong, .pauseFollowerLong: isLeader ? .pauseLeaderLong : .pauseFollowerLong
        case .handOver, .restartFollower: isLeader ? .handOver : .restartFollower
        default: self
        }
    }
}
