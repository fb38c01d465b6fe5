//
// Replica+Lease.swift: what LeaseKeeper does around LeaderLease.
//

import PostgresDriver

@testable import AllocationLedger
@testable import AllocatorRuntime

extension Replica {
    func keepLease() async throws(Fault) {
        while true {
            try await askForLease()
            try await process.sleep(pause())
        }
    }

    /// Whether something may be written in that term at this instant.
    func isTrusted(_ token: FencingToken) -> Bool {
        if mutations.contains(.ignoresTrustWindow) { return lease.heldEpoch == token.epoch }
        return lease.trusted(now: process.now)?.epoch == token.epoch
    }

    private var isRecording: Bool { certainty.holds(now: process.now) || mutations.contains(.provesWhatFails) }

    /// As LeaseKeeper.fenced.
    func endTerm(_ token: FencingToken) {
        guard !mutations.contains(.renewsFencedTerm) else { return }
        act(lease.fenced(epoch: token.epoch))
        refusedToken = token
    }

    /// As LeaseKeeper.beginTerm.
    func beginTerm(above epoch: Int64) async {
        epochLost = max(epochLost, epoch)
        guard let held = lease.heldEpoch, held <= epochLost else { return }
        await giveUp(held)
        act(lease.refused())
    }

    func release() async {
        guard let epoch = lease.heldEpoch else { return }
        _ = lease.refused()
        await giveUp(epoch)
    }

    private func giveUp(_ epoch: Int64) async {
        do throws(Fault) {
            let session = try await leaseConnected()
            _ = try await session.ask(
                .release(FencingToken(holder: holder, epoch: epoch), isRecording: isRecording), timeout: .seconds(2))
            note("gives epoch \(epoch) up")
        } catch {
            note("cannot give epoch \(epoch) up: \(error)")
        }
    }

    /// As LeaseKeeper.askNow.
    func askForLeaseNow() {
        guard lease.heldEpoch == nil else { return }
        run { try await self.askForLease() }
    }

    /// As LeaseKeeper.ask: two questions at once could take the lease and then find it taken.
    private func askForLease() async throws(Fault) {
        guard !isAsking else { return shouldAskAgain = true }
        isAsking = true
        repeat {
            shouldAskAgain = false
            try await askOnce()
        } while shouldAskAgain
        isAsking = false
    }

    private func askOnce() async throws(Fault) {
        let askedAt = process.now
        let timeout = Self.timeToLive / 2
        do throws(Fault) {
            let session = try await leaseConnected()
            if let ended = refusedToken {
                refusedToken = nil
                _ = try await session.ask(.release(ended, isRecording: isRecording), timeout: timeout)
            }
            if let epoch = lease.heldEpoch {
                let token = FencingToken(holder: holder, epoch: epoch)
                guard
                    case .renewed(let renewedAt) = try await session.ask(
                        .renew(token, timeToLive: Self.timeToLive, isRecording: isRecording), timeout: timeout)
                else { return }
                act(renewedAt != nil ? renewed(epoch, askedAt) : lease.refused())
                if let renewedAt { noteRenewal(renewedAt) }
            } else {
                guard
                    case .epoch(let epoch) = try await session.ask(
                        .acquire(
                            holder: holder, address: address, timeToLive: Self.timeToLive,
                            sawOutage: leaseOutage != nil, above: epochLost), timeout: timeout)
                else { return }
                leaseOutage = nil
                guard let epoch else { return try await askForHolder(session) }
                lastRenewal = cluster.database.tables.lease.renewedAt
                act(granted(epoch, askedAt))
            }
        } catch {
            if error == .died { throw error }
            leaseOutage = leaseOutage ?? "\(error)"
            act(mutations.contains(.ignoresTrustWindow) ? .wait : lease.tick(now: process.now))
            if lease.heldEpoch == nil { reportedHolder = nil }
        }
    }

    private func askForHolder(_ session: ClientSession) async throws(Fault) {
        guard case .holder(let other?) = try await session.ask(.leaseHolder, timeout: Self.timeToLive / 2) else {
            return
        }
        guard other != reportedHolder else { return }
        reportedHolder = other
        send(.waiting)
    }

    private func noteRenewal(_ renewedAt: Timestamp) {
        let before = lastRenewal
        lastRenewal = renewedAt
        guard before != renewedAt else { return }
        if let reason = leaseOutage, let before, lease.heldEpoch != nil {
            send(.leaseRecovered(LeaseOutage(from: before, to: renewedAt, reason: reason)))
        }
        leaseOutage = nil
    }

    private func granted(_ epoch: Int64, _ askedAt: ContinuousClock.Instant) -> LeaderLease.Action {
        defer { cluster.oracle.checkTrust() }
        return lease.granted(epoch: epoch, askedAt: askedAt, repliedAt: process.now)
    }

    private func renewed(_ epoch: Int64, _ askedAt: ContinuousClock.Instant) -> LeaderLease.Action {
        defer { cluster.oracle.checkTrust() }
        return lease.renewed(epoch: epoch, askedAt: askedAt, repliedAt: process.now)
    }

    private func act(_ action: LeaderLease.Action) {
        switch action {
        case .startLeading(let term):
            reportedHolder = nil
            send(.leading(FencingToken(holder: holder, epoch: term.epoch)))
        case .stopLeading: send(.lost)
        case .wait: break
        }
    }

    private func pause() -> Duration {
        let now = process.now
        guard let term = lease.trusted(now: now) else { return min(Self.renewInterval, .seconds(1)) }
        return min(Self.renewInterval, now.duration(to: term.trustedUntil))
    }

    private func leaseConnected() async throws(Fault) -> ClientSession {
        if let leaseSession, leaseSession.isUsable { return leaseSession }
        let fresh = try await ClientSession.open(process, link, cluster.database, timeout: Self.timeToLive / 2)
        leaseSession = fresh
        return fresh
    }
}
