//
// WalkOutage.swift: what the walk keeps for times in which the database is away, or has come back without what it had.
//

import AllocationLedger
import PostgresDriver

/// The walk's part of an outage.
struct WalkOutage: Sendable {
    var policy: OutagePolicy
    /// Where the last state and the journal are; nil: neither is kept.
    let folder: OutageFolder?
    /// This process in the ledger.
    let holder: UUID128
    /// Asks for a term above an epoch that was lost.
    let beginTerm: @Sendable (_ epoch: Int64) async -> Void
    /// What is in the journal; nil while there is none.
    var journal: OutageJournal?
    /// Where in its file the contents of its entries are.
    var contents: [Range<Int64>] = []
    /// A change that the state has, and that nothing has recorded.
    var pending: RevisionDraft?
    /// The term that this process led last.
    var lastToken: FencingToken?
    /// Discovery was asked for all it has since the journal took over.
    var isAlone = false
    /// What this process served and the database has lost, while another leads that has gone on behind it.
    var losses = LostStatements()
    /// A statement that another process was asked to record, and the digest by which it names what it is about.
    var asked: (id: UUID128, about: Digest32)?
    /// The database may have lost statements of what was served: what they were made of has to be looked at again.
    var mayLackStatements = true
    /// When recording in the held term is tried again although the journal is in use.
    var probesAt = ContinuousClock.now

    init(
        policy: OutagePolicy, folder: OutageFolder?, holder: UUID128,
        beginTerm: @escaping @Sendable (_ epoch: Int64) async -> Void
    ) {
        self.policy = policy
        self.folder = folder
        self.holder = holder
        self.beginTerm = beginTerm
    }

    /// Recording has been tried in vain, which may have read the whole state: not often, but soon enough for whoever waits
    /// for the journal to become revisions.
    ///
    /// - Parameter taken: How long it took.
    mutating func probe(after taken: Duration, now: ContinuousClock.Instant) {
        probesAt = now + Self.pause(after: taken)
    }

    static func pause(after taken: Duration) -> Duration { min(max(.seconds(2), taken * 10), .seconds(15)) }

    /// Whether a journal is there that continues another revision: it has to be recorded before another can begin.
    func hasOlderJournal(than head: LedgerHead?) -> Bool {
        journal.map { $0.base.head.digest != head?.digest } ?? false
    }
}
