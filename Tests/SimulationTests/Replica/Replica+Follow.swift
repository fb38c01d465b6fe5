//
// Replica+Follow.swift: what LedgerTail and AllocationWalk+Following do around FollowerLog.
//

import AllocationCore
import PostgresDriver

@testable import AllocationLedger
@testable import AllocatorRuntime

extension Replica {
    // MARK: Hearing

    /// As LedgerTail.poll.
    func poll() async throws(Fault) {
        while true {
            lookIfDue()
            let now = process.now
            // A timer never fires early, and rarely at once.
            try await process.sleep(max(now.duration(to: tail.nextLook(now: now)), .milliseconds(1)))
        }
    }

    /// As LedgerTail.listen.
    func listen() async throws(Fault) {
        while true {
            do throws(Fault) {
                let session = try await ClientSession.open(process, link, cluster.database, timeout: .seconds(5))
                _ = try await session.ask(.listen, timeout: .seconds(5))
                tail.listening(now: process.now)
                lookIfDue()
                try await hear(session)
                session.close()
            } catch {
                if error == .died { throw error }
            }
            tail.notListening()
            try await process.sleep(.milliseconds(100))
        }
    }

    /// Until the session is dead.
    private func hear(_ session: ClientSession) async throws(Fault) {
        while true {
            switch tail.sessionDue(now: process.now) {
            case .replaceSession?:
                note("replaces its listening session")
                return
            case .heartbeat?:
                tail.heartbeatSent(now: process.now)
                _ = try await session.ask(.notifyOneself, timeout: tail.limits.heartbeatPatience)
            case .read?, nil: break
            }
            let now = process.now
            let patience = tail.nextSessionDue(now: now).map { now.duration(to: $0) } ?? .seconds(1)
            guard let notification = try await session.nextNotification(within: patience) else { continue }
            switch notification {
            case .heartbeat: tail.heartbeatHeard(now: process.now)
            case .leaseIsFree: askForLeaseNow()
            case .revision(let number):
                tail.told(of: number)
                lookIfDue()
            }
        }
    }

    private func lookIfDue() {
        guard tail.isLookDue(now: process.now) else { return }
        tail.looked(now: process.now)
        send(.look)
    }

    // MARK: Following

    /// As AllocationWalk.follow.
    func follow() async throws {
        do {
            guard try await mayFollow() else { return }
            try await advance()
        } catch let failure as AppendFailure {
            if failure.fault == .died { throw Fault.died }
        }
    }

    /// As AllocationWalk.reachHead.
    func reachHead() async throws {
        if mutations.contains(.ignoresHead), head != nil { return needsLoad = false }
        if !needsLoad, head != nil, tail.fork == nil { try await advance() }
        let tip = try await currentHead()
        if needsLoad || tip?.digest != head?.digest { try await load() }
        hasForgottenDiscovery = false
    }

    private func advance() async throws {
        if needsLoad { try await load() }
        if !hasForgottenDiscovery {
            state.forgetDiscovery()
            hasForgottenDiscovery = true
        }
        if tail.applied != FollowerLog.Tip(head) { tail.loaded(FollowerLog.Tip(head), now: process.now) }
        while true {
            guard case .tail(let found, let rows) = try await ask(.tail(behind: head?.revision.number ?? 0)) else {
                return
            }
            let links = rows.map {
                FollowerLog.Link(
                    revision: $0.number, previousDigest: $0.previous, digest: $0.digest,
                    unused: ForkRepair.unused(before: Revision($0.number), cause: $0.cause.rawValue, detail: $0.detail))
            }
            let reading = FollowerLog.Reading(head: FollowerLog.Tip(found), links: links)
            var decision = tail.read(reading, targets: state.targetCount, now: process.now)
            if mutations.contains(.skipsNumberCheck), !rows.isEmpty {
                decision = .apply(count: rows.count, readMore: false)
            }
            switch decision {
            case .upToDate: return
            case .apply(let count, let readMore):
                for (row, link) in zip(rows, links).prefix(count) {
                    guard let change = state.apply(recorded: row.change(in: state)) else { return try await reload() }
                    head = row.head
                    writerHead = row.head
                    pending = nil
                    if link.unused > 0 { outage.mayLackStatements = true }
                    if mutations.contains(.skipsNumberCheck) {
                        tail.loaded(FollowerLog.Tip(head), now: process.now)
                    } else {
                        tail.applied(through: link, now: process.now)
                    }
                    if let head {
                        if let snapshot {
                            serve(snapshot.advanced(by: change, state: state, head: head))
                        } else {
                            publishWhole()
                        }
                    }
                }
                guard readMore else { return }
            case .reload: return try await reload()
            case .forked(let fork): throw AppendFailure(.lasting, "\(fork)")
            }
        }
    }

    private func reload() async throws {
        try await load()
        hasForgottenDiscovery = true
    }
}

extension RevisionRow {
    /// As a follower reads it back.
    func change(in state: AllocationState) -> RecordedChange {
        var (jobs, names) = (Names(), Names())
        var change = RecordedChange(placement: state.placement)
        for event in targets {
            let before = event.before.map { row in RecordedChange.Before(collector: row.collector.map { names[$0] }) }
            let after = event.after.map { row in
                RecordedChange.After(
                    labels: row.labels == event.before?.labels ? nil : row.labels,
                    collector: row.collector.map { names[$0] })
            }
            change.targets.append(
                RecordedChange.Target(
                    job: jobs[event.place.job], identity: event.place.identity, before: before, after: after,
                    reason: event.reason))
        }
        for event in collectors {
            change.events.append(
                RecordedChange.CollectorEvent(
                    kind: event.kind, collector: names[event.name], node: nil, evidence: ""))
        }
        change.jobs = jobs.all
        change.collectors = names.all.map { Collector(name: $0) }
        return change
    }

    private struct Names {
        private(set) var all: [String] = []

        subscript(_ name: String) -> Int32 {
            mutating get {
                if let place = all.firstIndex(of: name) { return Int32(place) }
                all.append(name)
                return Int32(all.count - 1)
            }
        }
    }
}
