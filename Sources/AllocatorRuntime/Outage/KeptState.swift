//
// KeptState.swift: the last state as it is kept on disk, for a start without the database.
//
// One file, written whole and put in place of the one before: a line that names the format, a header, the state as a change
// that makes it of nothing (RecordedContent.swift), and SHA-256 of all that. Secrets are not in it.
//

import AllocationCore
import AllocationLedger
import PostgresDriver

/// What one process served last.
struct KeptState: Sendable {
    var head: LedgerHead
    /// The term in which this process led last; nil: another did.
    var ledTerm: Int64?
    /// By this machine's clock.
    var savedAt: Timestamp
    /// Strategy and redacted scrape configuration that were served.
    var strategy: String
    var scrapeConfigs: [UInt8]
    /// The whole state: every target is new, every collector that is present joined.
    var state: AllocationChange

    private static let mark = Array("target-ledger-state/1\n".utf8)

    // MARK: Writing

    /// The file's bytes.
    func encoded(in table: LabelTable) -> [UInt8] {
        var header = ByteFields()
        header.add(head.revision.number)
        header.add(head.epoch)
        header.add(head.at.microsecondsSince1970)
        header.add(head.digest.bytes)
        header.add(ledTerm ?? 0)
        header.add(savedAt.microsecondsSince1970)
        header.add(Array(strategy.utf8))
        header.add(scrapeConfigs)
        header.add(RecordedContent(change: state, configuration: nil).encoded(in: table))
        let bytes = Self.mark + header.bytes
        return bytes + Digest32.hash(bytes).bytes
    }

    // MARK: Reading

    /// - Throws: ``KeptStateError``.
    init(_ bytes: [UInt8], into table: LabelTable) throws(KeptStateError) {
        guard bytes.starts(with: Self.mark) else { throw .otherFormat }
        let length = bytes.count - Digest32.byteCount
        guard length >= Self.mark.count,
            bytes.withUnsafeBytes({ Digest32.hash(UnsafeRawBufferPointer(rebasing: $0[..<length])) })
                == Digest32(bytes[length...])
        else { throw .altered }
        var fields = ByteFields.Reader(bytes[Self.mark.count..<length])
        guard let revision = fields.number(), let epoch = fields.number(), let at = fields.number(),
            let digest = fields.bytes().flatMap({ Digest32($0) }), let term = fields.number(),
            let savedAt = fields.number(), let strategy = fields.bytes(), let scrapeConfigs = fields.bytes(),
            let content = fields.bytes(), let state = RecordedContent(content, into: table)
        else { throw .altered }
        head = LedgerHead(
            revision: Revision(revision), epoch: epoch, at: Timestamp(microsecondsSince1970: at), digest: digest)
        ledTerm = term == 0 ? nil : term
        self.savedAt = Timestamp(microsecondsSince1970: savedAt)
        self.strategy = String(decoding: strategy, as: UTF8.self)
        self.scrapeConfigs = scrapeConfigs
        self.state = state.change
    }

    /// Bytes from the beginning that say of which revision it is.
    static let headBytes = mark.count + 64

    /// The revision that the state is of.
    static func head(_ bytes: [UInt8]) -> LedgerHead? {
        guard bytes.count >= headBytes, bytes.starts(with: mark) else { return nil }
        var fields = ByteFields.Reader(bytes[mark.count...])
        guard let revision = fields.number(), let epoch = fields.number(), let at = fields.number(),
            let digest = fields.bytes().flatMap({ Digest32($0) })
        else { return nil }
        return LedgerHead(
            revision: Revision(revision), epoch: epoch, at: Timestamp(microsecondsSince1970: at), digest: digest)
    }

    /// What a snapshot says.
    init(_ snapshot: AllocationSnapshot, ledTerm: Int64?, savedAt: Timestamp) {
        head = snapshot.head
        self.ledTerm = ledTerm
        self.savedAt = savedAt
        strategy = snapshot.strategy
        scrapeConfigs = snapshot.scrapeConfigs.redacted
        state = snapshot.wholeState
    }

    // MARK: The state

    /// The state with further changes upon it.
    ///
    /// - Parameter later: In their order; each continues the one before.
    func allocation(
        in table: LabelTable, strategy: StrategyConfiguration, after later: [AllocationChange] = []
    ) -> AllocationState {
        var loader = AllocationLoader(table: table, strategy: strategy)
        var targets: [TargetKey: Placed] = [:]
        var collectors: [String: (collector: Collector, isPresent: Bool)] = [:]
        var order: [String] = []
        for change in [state] + later {
            for collector in change.collectorTable where collectors[collector.name] == nil {
                collectors[collector.name] = (collector, false)
                order.append(collector.name)
            }
            for event in change.collectors {
                let collector = change.collectorTable[Int(event.collector.rawValue)]
                collectors[collector.name] = (collector, event.kind != .left)
            }
        }
        // What a later change says of a target counts alone.
        for change in later {
            for target in change.targets {
                let key = TargetKey(job: change.jobs[Int(target.job.rawValue)], identity: target.identity)
                targets[key] = Placed(
                    state: target.after,
                    collector: target.after?.collector.map { change.collectorTable[Int($0.rawValue)].name })
            }
        }
        var numbers: [String: CollectorNumber] = [:]
        for name in order {
            guard let (collector, isPresent) = collectors[name] else { continue }
            numbers[name] = loader.addCollector(collector, isPresent: isPresent)
        }
        let jobs = state.jobs.map { loader.addJob($0) }
        for target in state.targets {
            guard let after = target.after else { continue }
            if !targets.isEmpty {
                let key = TargetKey(job: state.jobs[Int(target.job.rawValue)], identity: target.identity)
                if targets[key] != nil { continue }
            }
            loader.addTarget(
                job: jobs[Int(target.job.rawValue)], identity: target.identity, labels: after.labels,
                address: after.address,
                collector: after.collector.flatMap { numbers[state.collectorTable[Int($0.rawValue)].name] })
        }
        for (key, placed) in targets {
            guard let after = placed.state else { continue }
            loader.addTarget(
                job: loader.addJob(key.job), identity: key.identity, labels: after.labels, address: after.address,
                collector: placed.collector.flatMap { numbers[$0] })
        }
        return loader.finish(placedBy: (later.last ?? state).placement)
    }

    private struct TargetKey: Hashable {
        var job: String
        var identity: TargetIdentity
    }

    private struct Placed {
        var state: TargetState?
        var collector: String?
    }
}

/// A state file that cannot be used.
enum KeptStateError: Error, Sendable, CustomStringConvertible {
    case otherFormat
    case altered

    var description: String {
        switch self {
        case .otherFormat: "it is of another version, or no state file"
        case .altered: "its digest is not that of its content"
        }
    }
}

/// Numbers and runs of bytes, each with its length in eight bytes.
private struct ByteFields {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ number: Int64) { withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) } }

    mutating func add(_ content: [UInt8]) {
        add(Int64(content.count))
        bytes.append(contentsOf: content)
    }

    struct Reader {
        private var rest: ArraySlice<UInt8>

        init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

        mutating func number() -> Int64? {
            guard rest.count >= 8 else { return nil }
            defer { rest = rest.dropFirst(8) }
            return rest.withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(as: Int64.self)) }
        }

        mutating func bytes() -> [UInt8]? {
            guard let count = number(), count >= 0, count <= rest.count else { return nil }
            defer { rest = rest.dropFirst(Int(count)) }
            return Array(rest.prefix(Int(count)))
        }
    }
}
