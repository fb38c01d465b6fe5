//
// CheckpointCheck.swift: whether the log continues checkpoints that were taken before and kept elsewhere.
//
// Who cuts off the newest revisions and sets the tip back leaves a chain that looks right; only what somebody else has
// kept shows it.
//

/// Checkpoints to compare with.
struct CheckpointCheck {
    private var waiting: [Int64: [Checkpoint]] = [:]
    private let count: Int
    private var oldest: Int64 = 0
    private static let part = VerificationLog.Part.control("checkpoint")
    private var differing: [Checkpoint] = []

    init(_ checkpoints: [Checkpoint]) {
        count = checkpoints.count
        for checkpoint in checkpoints { waiting[checkpoint.size, default: []].append(checkpoint) }
    }

    /// What is kept begins behind `size` revisions.
    mutating func start(_ tree: MerkleTree?, size: Int64) {
        oldest = size
        if let tree { pass(tree) }
    }

    /// The log has had this tree.
    mutating func pass(_ tree: MerkleTree) {
        guard !waiting.isEmpty, let checkpoints = waiting.removeValue(forKey: tree.count) else { return }
        let root = tree.root
        differing += checkpoints.filter { $0.root != root }
    }

    mutating func finish(size: Int64, _ log: inout VerificationLog) {
        guard count > 0 else { return }
        pass(MerkleTree())
        log.add(rows: Int64(count), to: Self.part)
        for checkpoint in differing {
            log.find(
                .altered, in: Self.part, revision: checkpoint.size,
                "the checkpoint of \(checkpoint.origin) has another root over the first \(checkpoint.size) revisions")
        }
        for checkpoint in waiting.sorted(by: { $0.key < $1.key }).flatMap(\.value) {
            if checkpoint.size > size {
                log.find(
                    .missing, in: Self.part, revision: size + 1,
                    "the checkpoint of \(checkpoint.origin) covers \(checkpoint.size) revisions, and the log ends at "
                        + "revision \(size)")
            } else if checkpoint.size < oldest {
                log.find(
                    .declaredGap, in: Self.part, revision: checkpoint.size,
                    "the checkpoint of \(checkpoint.origin) cannot be compared: retention has dropped revisions up to "
                        + "\(oldest)")
            } else {
                log.find(
                    .missing, in: Self.part, revision: checkpoint.size,
                    "the checkpoint of \(checkpoint.origin) cannot be compared: revisions before it are gone")
            }
        }
    }
}
