//
// RecordedHistory.swift: the ledger read with psql and replayed event by event, by nothing of the product.
//

/// Every revision and event of a ledger with one job.
struct RecordedHistory: Sendable {
    struct Event: Sendable {
        var revision: Int64
        var target: Int
        /// Nil: no collector has it.
        var collector: Int?
        /// Nil: it is gone.
        var labels: Int?
    }

    struct Membership: Sendable {
        var revision: Int64
        var collector: Int
        var isJoining: Bool
    }

    /// A revision that was an entry of a journal.
    struct Recovery: Sendable {
        var revision: Int64
        var entry: Int64
    }

    let job: String
    /// The collectors' names by what routes call them.
    let collectors: [String]
    var revisions: [Int64] = []
    var events: [Event] = []
    var memberships: [Membership] = []
    var recoveries: [Recovery] = []
    /// Numbers that a revision declares unused.
    var unused: [ClosedRange<Int64>] = []
    /// Numbers that are stated one by one as lost.
    var statedLost: Set<Int64> = []
    /// Revisions that a journal continued whose contents were stated and not recorded.
    var statedJournals: Set<Int64> = []
    /// Addresses in the order in which they are served, by target.
    private(set) var rank: [Int: Int] = [:]
    private(set) var addresses: [String] = []
    /// `{…}` by label set.
    var labelSets: [Int: String] = [:]
    /// Collectors by the ledger's id.
    var names: [Int: String] = [:]

    init(job: String, collectors: [String]) {
        self.job = job
        self.collectors = collectors
    }

    /// - Parameter targets: Address by target's id. Equal addresses are never served together.
    mutating func take(targets: [(id: Int, address: String)]) {
        let sorted = targets.sorted { $0.address.utf8.lexicographicallyPrecedes($1.address.utf8) }
        addresses = sorted.map(\.address)
        for (place, target) in sorted.enumerated() { rank[target.id] = place }
    }

    func isDeclaredUnused(_ revision: Int64) -> Bool { unused.contains { $0.contains(revision) } }

    // MARK: Replay

    /// What the ledger holds at one revision.
    struct State {
        let history: RecordedHistory
        fileprivate(set) var members: Set<String> = []
        /// By place in the order of addresses: what is assigned to whom.
        fileprivate(set) var elements: [[UInt8]?]
        fileprivate(set) var owners: [Int?]

        /// The digest of each body that can be served at this revision.
        func digests() -> [ServedRoute: UInt64] {
            var lists: [String: [UInt8]] = [:]
            for (place, element) in elements.enumerated() {
                guard let element, let owner = owners[place], let name = history.names[owner] else { continue }
                if lists[name] == nil {
                    lists[name] = element
                } else {
                    lists[name]?.append(UInt8(ascii: ","))
                    lists[name]?.append(contentsOf: element)
                }
            }
            var digests: [ServedRoute: UInt64] = [:]
            for (index, name) in history.collectors.enumerated() {
                digests[.list(index)] = ServedAnswer.digest(Array("[".utf8) + (lists[name] ?? []) + Array("]\n".utf8))
            }
            let link = "/jobs/\(history.job)/targets"
            var whole = Array("{".utf8)
            for (place, name) in members.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }).enumerated() {
                if place > 0 { whole.append(UInt8(ascii: ",")) }
                whole += Array("\"\(name)\":{\"_link\":\"\(link)?collector_id=\(name)\",\"targets\":[".utf8)
                whole += lists[name] ?? []
                whole += Array("]}".utf8)
            }
            digests[.everyList] = ServedAnswer.digest(whole + Array("}\n".utf8))
            let hasTargets = elements.contains { $0 != nil }
            digests[.jobs] = ServedAnswer.digest(
                Array((hasTargets ? "{\"\(history.job)\":{\"_link\":\"\(link)\"}}\n" : "{}\n").utf8))
            return digests
        }
    }

    /// Tells the state at each of some revisions, in order.
    func replay(only wanted: Set<Int64>, _ body: (Int64, State) -> Void) {
        var state = State(
            history: self, elements: [[UInt8]?](repeating: nil, count: addresses.count),
            owners: [Int?](repeating: nil, count: addresses.count))
        var (nextEvent, nextMembership) = (0, 0)
        for revision in revisions {
            while nextEvent < events.count, events[nextEvent].revision <= revision {
                let event = events[nextEvent]
                nextEvent += 1
                guard let place = rank[event.target] else { continue }
                state.owners[place] = event.collector
                state.elements[place] = event.labels.map {
                    Array("{\"targets\":[\"\(addresses[place])\"],\"labels\":\(labelSets[$0] ?? "?")}".utf8)
                }
            }
            while nextMembership < memberships.count, memberships[nextMembership].revision <= revision {
                let membership = memberships[nextMembership]
                nextMembership += 1
                guard let name = names[membership.collector] else { continue }
                if membership.isJoining { state.members.insert(name) } else { state.members.remove(name) }
            }
            if wanted.contains(revision) { body(revision, state) }
        }
    }
}
