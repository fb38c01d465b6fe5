//
// DiscoveryState.swift: decides what runs, what is known, and what each job has still to be told.
//
// A value that does no I/O: configurations and rounds go in, batches come out. Rules: spec/prometheus-sd.md 2, with
// three differences: only changes are handed on; a section that took another's place keeps the old groups until the new
// ones are known; what is pending is a set of places, so that it never grows beyond the content itself.
//

import AllocationCore

/// Providers, the jobs they feed, and what is pending.
struct DiscoveryState: Sendable {
    /// What applying a configuration asks the driver to do.
    struct Actions: Sendable {
        var start: [(id: ProviderID, configuration: ProviderConfiguration)] = []
        var stop: [ProviderID] = []
    }

    /// A batch before its groups are made into values, which needs no lock.
    struct Draft: Sendable {
        struct Part: Sendable {
            var provider: ProviderID
            var document: String
            var groups: PackedGroups
            var pending: ProviderGroups.Pending
        }

        var jobs: [(name: String, isSynchronised: Bool, parts: [Part])] = []
        var reports: [DiscoveryReport] = []
        var handOver = 0
    }

    private typealias Places = [ProviderID: [String: ProviderGroups.Pending]]

    private struct Provider {
        let configuration: ProviderConfiguration?
        var groups = ProviderGroups()
        var isSynchronised = false
        /// Sorted.
        var jobs: [String] = []
        var reports: [DiscoveryReport] = []
    }

    private struct Job {
        var providers: [ProviderID] = []
        var pending: Places = [:]
        /// Groups of providers that the job no longer has; told as gone once its other providers are synchronised.
        var retired: Places = [:]
        var isQueued = false
    }

    /// Reports of one provider that wait to be taken; when there are more, the last ones are folded.
    private static let reportsPerProviderMax = 32

    private var providers: [ProviderID: Provider] = [:]
    private var jobs: [String: Job] = [:]
    /// Jobs with something pending, in the order in which it came up.
    private var queue: [String] = []
    private var reportsAreWaiting = false
    /// How often everything was handed over again.
    private var handOver = 0

    /// Something waits to be taken that is more than reports.
    var hasPendingJobs: Bool { !queue.isEmpty }

    /// Targets that a job's providers have now.
    func targetCount(of job: String) -> Int {
        jobs[job]?.providers.reduce(0) { $0 + (providers[$1]?.groups.targetCount ?? 0) } ?? 0
    }

    /// The jobs that a provider feeds, each with all its targets.
    func targetCounts(fedBy id: ProviderID) -> [String: Int] {
        Dictionary(uniqueKeysWithValues: (providers[id]?.jobs ?? []).map { ($0, targetCount(of: $0)) })
    }

    // MARK: Configuration

    /// Takes a new configuration. Equal sections keep running, with their groups.
    ///
    /// - Parameter staticGroups: By job, what its `static_configs` say.
    mutating func apply(
        _ wanted: [JobDiscovery], staticGroups: [String: PackedGroups], finishedAt: Int64
    ) -> Actions {
        var actions = Actions()
        let sections = Dictionary(wanted.map { ($0.job, $0.providers) }, uniquingKeysWith: { first, _ in first })
        let everySection = sections.values.joined()
        let running = providers.compactMap { id, provider in provider.configuration.map { (id, $0) } }

        // What no job wants any more ends before its name can be given to another.
        for name in jobs.keys where sections[name] == nil { removeJob(name) }
        for (id, configuration) in running where !everySection.contains(configuration) {
            retire(id)
            providers[id] = nil
            actions.stop.append(id)
        }
        var known = running.filter { providers[$0.0] != nil }

        for job in wanted.sorted(by: { ByteOrder.precedes($0.job, $1.job) }) {
            var ids: [ProviderID] = []
            if !job.static.isEmpty { ids.append(ProviderID(mechanism: "static", key: job.job)) }
            for section in sections[job.job] ?? [] {
                if let match = known.first(where: { $0.1 == section }) {
                    ids.append(match.0)
                } else {
                    let id = unusedID(section)
                    providers[id] = Provider(configuration: section)
                    known.append((id, section))
                    actions.start.append((id, section))
                    ids.append(id)
                }
            }
            attach(job.job, ids)
            if let groups = staticGroups[job.job] { setStatic(job, groups, finishedAt) }
        }
        return actions
    }

    private func unusedID(_ section: ProviderConfiguration) -> ProviderID {
        var id = ProviderID(mechanism: section.mechanism, key: section.source)
        var number = 2
        while providers[id] != nil {
            id = ProviderID(mechanism: section.mechanism, key: "\(section.source)#\(number)")
            number += 1
        }
        return id
    }

    private mutating func removeJob(_ name: String) {
        for id in jobs[name]?.providers ?? [] {
            providers[id]?.jobs.removeAll { $0 == name }
            if id.mechanism == "static" { providers[id] = nil }
        }
        jobs[name] = nil
        queue.removeAll { $0 == name }
    }

    /// The jobs that a provider fed keep its groups for now.
    private mutating func retire(_ id: ProviderID) {
        for name in providers[id]?.jobs ?? [] { retire(id, of: name) }
    }

    private mutating func retire(_ id: ProviderID, of name: String) {
        guard var job = jobs[name] else { return }
        for (document, groups) in providers[id]?.groups.documents ?? [:] {
            let slots = Set((0..<groups.slotCount).lazy.filter { groups.contains($0) }.map { UInt32($0) })
            job.retired[id, default: [:]][document, default: .init()].slots.formUnion(slots)
        }
        // What had gone away and was not told yet.
        for (document, pending) in job.pending[id] ?? [:] {
            job.retired[id, default: [:]][document, default: .init()].slots.formUnion(pending.slots)
        }
        job.pending[id] = nil
        job.providers.removeAll { $0 == id }
        jobs[name] = job
        providers[id]?.jobs.removeAll { $0 == name }
        enqueue(name)
    }

    /// Gives a job exactly these providers.
    private mutating func attach(_ name: String, _ ids: [ProviderID]) {
        let isNew = jobs[name] == nil
        if isNew { jobs[name] = Job() }
        for id in jobs[name]?.providers ?? [] where !ids.contains(id) {
            retire(id, of: name)
            if id.mechanism == "static" { providers[id] = nil }
        }
        for id in ids where jobs[name]?.providers.contains(id) == false {
            jobs[name]?.providers.append(id)
            if providers[id] == nil { providers[id] = Provider(configuration: nil) }
            let names = (providers[id]?.jobs ?? []) + [name]
            providers[id]?.jobs = names.sorted(by: ByteOrder.precedes)
            for document in providers[id]?.groups.documents.keys.sorted() ?? [] {
                jobs[name]?.pending[id, default: [:]][document, default: .init()].isWhole = true
            }
            enqueue(name)
        }
        if isNew { enqueue(name) }
    }

    private mutating func setStatic(_ job: JobDiscovery, _ groups: PackedGroups, _ finishedAt: Int64) {
        let id = ProviderID(mechanism: "static", key: job.job)
        guard !job.static.isEmpty, let known = providers[id] else { return }
        let slots = max(groups.slotCount, known.groups.documents[""]?.slotCount ?? 0)
        let change = DocumentChange(document: "", slots: ContiguousArray(0..<UInt32(slots)), groups: groups)
        let round = DiscoveryRound(
            changes: [change], outcome: .success, targetCount: groups.targetCount, duration: .zero,
            finishedAt: finishedAt, isSynchronised: true)
        // A configuration that leaves the job's targets alone is no news.
        if known.isSynchronised {
            var after = known.groups
            if after.take(change).isEmpty { return }
        }
        take(round, from: id, source: "static_configs")
    }

    // MARK: Rounds

    /// Takes the end of a round.
    ///
    /// - Returns: Whether anything changed for a job. Nil: the provider is not there any more.
    @discardableResult
    mutating func take(_ round: DiscoveryRound, from id: ProviderID, source: String) -> Bool? {
        guard var provider = providers.removeValue(forKey: id) else { return nil }
        var isNews = false
        for change in round.changes {
            let differing = provider.groups.take(change)
            guard !differing.isEmpty else { continue }
            isNews = true
            for name in provider.jobs {
                jobs[name]?.pending[id, default: [:]][change.document, default: .init()].formUnion(differing)
            }
        }
        if round.isSynchronised && !provider.isSynchronised {
            provider.isSynchronised = true
            isNews = true
        }
        report(round, id, source, &provider)
        providers[id] = provider
        if isNews { for name in provider.jobs { enqueue(name) } }
        return isNews
    }

    private mutating func report(
        _ round: DiscoveryRound, _ id: ProviderID, _ source: String, _ provider: inout Provider
    ) {
        let report = DiscoveryReport(
            jobs: provider.jobs, provider: id, source: source, outcome: round.outcome, targets: round.targetCount,
            duration: round.duration, firstAt: round.finishedAt, at: round.finishedAt)
        reportsAreWaiting = true
        guard let last = provider.reports.last,
            last.isContinued(by: report) || provider.reports.count >= Self.reportsPerProviderMax
        else {
            provider.reports.append(report)
            return
        }
        var folded = report
        folded.firstAt = last.firstAt
        folded.rounds = last.rounds + 1
        // A failure is never folded away into a success.
        if folded.outcome == .success, !last.isContinued(by: report) { folded.outcome = last.outcome }
        provider.reports[provider.reports.count - 1] = folded
    }

    // MARK: Batches

    private mutating func enqueue(_ name: String) {
        guard jobs[name]?.isQueued == false else { return }
        jobs[name]?.isQueued = true
        queue.append(name)
    }

    /// Makes everything that is known pending again for every job.
    ///
    /// - Returns: ``DiscoveryBatch/handOver`` of what is taken from now on.
    mutating func handOverAll() -> Int {
        handOver += 1
        for name in jobs.keys.sorted(by: ByteOrder.precedes) { handOver(name) }
        return handOver
    }

    /// Makes everything that is known of a job pending again.
    mutating func handOver(_ name: String) {
        guard let job = jobs[name] else { return }
        for id in job.providers {
            for document in providers[id]?.groups.documents.keys.sorted() ?? [] {
                jobs[name]?.pending[id, default: [:]][document, default: .init()].isWhole = true
            }
        }
        enqueue(name)
    }

    private func isSynchronised(_ job: Job) -> Bool {
        job.providers.allSatisfy { providers[$0]?.isSynchronised == true }
    }

    /// Takes what is pending: all reports, and whole jobs until they have `groupsMax` groups or more.
    mutating func takeDraft(groupsMax: Int) -> Draft? {
        guard !queue.isEmpty || reportsAreWaiting else { return nil }
        var draft = Draft()
        draft.handOver = handOver
        var groups = 0
        var taken = 0
        while taken < queue.count, groups < groupsMax {
            let name = queue[taken]
            taken += 1
            guard var job = jobs[name] else { continue }
            let isComplete = isSynchronised(job)
            var parts: [Draft.Part] = []
            if isComplete {
                for (id, documents) in job.retired { parts += gone(id, documents, of: job) }
                job.retired = [:]
            }
            for (id, documents) in job.pending {
                let known = providers[id]?.groups.documents ?? [:]
                for (document, pending) in documents {
                    let part = Draft.Part(
                        provider: id, document: document, groups: known[document] ?? PackedGroups(), pending: pending)
                    groups += pending.isWhole ? part.groups.count : pending.slots.count
                    parts.append(part)
                }
            }
            job.pending = [:]
            job.isQueued = false
            jobs[name] = job
            draft.jobs.append((name, isComplete, parts))
        }
        queue.removeFirst(taken)
        if reportsAreWaiting { draft.reports = takeReports() }
        return draft
    }

    /// Places of a provider that the job has no more, but for those that one of the same name holds again.
    private func gone(
        _ id: ProviderID, _ documents: [String: ProviderGroups.Pending], of job: Job
    ) -> [Draft.Part] {
        documents.map { document, pending in
            var left = pending
            if job.providers.contains(id), let again = providers[id]?.groups.documents[document] {
                left.slots = left.slots.filter { !again.contains(Int($0)) }
            }
            return Draft.Part(provider: id, document: document, groups: PackedGroups(), pending: left)
        }
    }

    private mutating func takeReports() -> [DiscoveryReport] {
        reportsAreWaiting = false
        var reports: [DiscoveryReport] = []
        for id in providers.keys.sorted(by: { ByteOrder.precedes($0.description, $1.description) }) {
            guard let waiting = providers[id]?.reports, !waiting.isEmpty else { continue }
            reports += waiting
            providers[id]?.reports = []
        }
        return reports
    }
}

extension DiscoveryReport {
    /// Whether `next` says the same of another round.
    fileprivate func isContinued(by next: DiscoveryReport) -> Bool {
        outcome == next.outcome && targets == next.targets && jobs == next.jobs
    }
}

extension DiscoveryState.Draft {
    /// The batch itself: groups become values.
    consuming func batch() -> DiscoveryBatch {
        var batch = DiscoveryBatch(reports: reports, handOver: handOver)
        for (name, isSynchronised, parts) in jobs {
            var changed: [SourceKey: TargetGroup] = [:]
            changed.reserveCapacity(
                parts.reduce(0) { $0 + max($1.pending.slots.count, $1.pending.isWhole ? $1.groups.count : 0) })
            for part in parts {
                for slot in part.pending.slots { part.add(Int(slot), to: &changed) }
                guard part.pending.isWhole else { continue }
                for slot in 0..<part.groups.slotCount where part.groups.contains(slot) { part.add(slot, to: &changed) }
            }
            batch.jobs[name] = JobDelta(changed: changed, isSynchronised: isSynchronised)
        }
        return batch
    }
}

extension DiscoveryState.Draft.Part {
    fileprivate func add(_ slot: Int, to changed: inout [SourceKey: TargetGroup]) {
        let source = ProviderGroups.source(document, slot)
        changed[SourceKey(provider: provider.description, source: source)] = groups.group(slot, source: source)
    }
}
