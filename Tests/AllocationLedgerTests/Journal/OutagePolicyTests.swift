import Testing

@testable import AllocationLedger

/// Goal: a process goes on by itself only where it is asked to, was the last leader, and the grace period is over.
@Suite struct OutagePolicyTests {
    private let start = ContinuousClock.now

    private func policy(_ mode: OutagePolicy.Mode = .proceed) -> OutagePolicy {
        OutagePolicy(mode: mode, leaseTimeToLive: .seconds(10))
    }

    private func mayJournal(_ policy: inout OutagePolicy, at instant: ContinuousClock.Instant) -> Bool {
        policy.mayJournal(now: instant)
    }

    @Test("The grace period is longer than the lease lasts, and counts from the first fault")
    func grace() {
        var policy = policy()
        #expect(policy.grace > .seconds(10))
        policy.leads(epoch: 3)
        policy.failed(now: start)
        policy.failed(now: start + .seconds(15))
        #expect(policy.journalsFrom == start + .seconds(20))
        #expect(!mayJournal(&policy, at: start + .milliseconds(19_999)))
        #expect(mayJournal(&policy, at: start + .seconds(20)))
        #expect(policy.isJournalling)
        policy.recorded()
        #expect(!mayJournal(&policy, at: start + .seconds(60)))
    }

    @Test("What holds never goes on")
    func hold() {
        var policy = policy(.hold)
        policy.leads(epoch: 1)
        policy.failed(now: start)
        #expect(!mayJournal(&policy, at: start + .seconds(3600)))
        #expect(policy.journalsFrom == nil)
    }

    @Test("Who never led, or has seen another lead, does not go on")
    func notTheLastLeader() {
        var follower = policy()
        follower.failed(now: start)
        #expect(!mayJournal(&follower, at: start + .seconds(60)))

        var former = policy()
        former.leads(epoch: 4)
        former.otherLeads(epoch: 5)
        former.failed(now: start)
        #expect(!mayJournal(&former, at: start + .seconds(60)))
        former.leads(epoch: 6)
        former.failed(now: start)
        #expect(mayJournal(&former, at: start + .seconds(60)))
        former.otherLeads(epoch: 7)
        #expect(!mayJournal(&former, at: start + .seconds(60)))
    }

    @Test("An older leader that shows up late changes nothing")
    func olderLeader() {
        var policy = policy()
        policy.leads(epoch: 4)
        policy.failed(now: start)
        policy.otherLeads(epoch: 3)
        #expect(mayJournal(&policy, at: start + .seconds(20)))
    }

    @Test("A journal that takes no more means holding, until something is recorded")
    func journalFails() {
        var policy = policy()
        policy.leads(epoch: 1)
        policy.failed(now: start)
        #expect(mayJournal(&policy, at: start + .seconds(20)))
        policy.journalFailed(because: "no space left on device")
        #expect(!mayJournal(&policy, at: start + .seconds(3600)))
        #expect(policy.holdsBecause == "no space left on device")
        policy.failed(now: start + .seconds(3600))
        #expect(!mayJournal(&policy, at: start + .seconds(7200)))
        policy.recorded()
        #expect(policy.holdsBecause == nil)
        policy.failed(now: start)
        #expect(mayJournal(&policy, at: start + .seconds(20)))
    }

    @Test("After a restart in the outage the grace period begins again")
    func resumed() {
        var policy = policy()
        policy.resumed(epoch: 2, now: start)
        #expect(!mayJournal(&policy, at: start + .seconds(19)))
        #expect(mayJournal(&policy, at: start + .seconds(20)))
    }
}
