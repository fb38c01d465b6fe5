//
// ServedAnswer.swift: what the checker keeps of one answer of one replica.
//

/// What is asked of each replica.
enum ServedRoute: Hashable, Sendable {
    case readyz
    case jobs
    /// The lists of all collectors.
    case everyList
    /// One collector's.
    case list(Int)
}

/// One answer.
struct ServedAnswer: Sendable {
    var replica: Int
    /// Which process it was: counts from 1 for each replica.
    var life: Int
    var route: ServedRoute
    var status: Int
    var revision: Int64?
    /// The entry of the replica's journal that was served last.
    var journal: Int64?
    /// Of the body; equal bodies of a run have equal digests.
    var digest: UInt64 = 0
    /// The body is `[]`.
    var isEmptyList = false

    /// A digest within this run.
    static func digest(_ body: [UInt8]) -> UInt64 {
        var hasher = Hasher()
        body.withUnsafeBytes { hasher.combine(bytes: $0) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
