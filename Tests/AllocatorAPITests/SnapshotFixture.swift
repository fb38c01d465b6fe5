//
// SnapshotFixture.swift: small allocations for tests of what is served.
//

import AllocationCore
import AllocationLedger
import AllocatorAPI
import AllocatorRuntime
import PostgresDriver
import Telemetry

/// A target of a fixture, by name of job and collector.
struct FixtureTarget {
    var job: String
    /// Nil: no collector has it.
    var collector: String?
    var labels: [String: String]

    init(_ job: String, _ collector: String?, _ labels: [String: String]) {
        self.job = job
        self.collector = collector
        self.labels = labels
    }
}

enum SnapshotFixture {
    static let emptyConfiguration = ScrapeConfigDocument(redacted: Array("{}".utf8), clear: nil)

    static func head(_ revision: Int64) -> LedgerHead {
        LedgerHead(
            revision: Revision(revision), epoch: 1, at: Timestamp(microsecondsSince1970: revision), digest: .zero)
    }

    /// Collectors are numbered, and targets identified, in the order given.
    static func snapshot(
        _ targets: [FixtureTarget] = [], collectors: [String] = [], revision: Int64 = 1,
        scrapeConfigs: ScrapeConfigDocument = emptyConfiguration, pendingJobs: Set<String> = [],
        table: LabelTable = LabelTable()
    ) -> AllocationSnapshot {
        var loader = AllocationLoader(table: table, strategy: .consistentHashing(.v1))
        var numbers: [String: CollectorNumber] = [:]
        for name in collectors { numbers[name] = loader.addCollector(Collector(name: name), isPresent: true) }
        for (index, target) in targets.enumerated() {
            let labels = LabelSet(target.labels, in: table)
            loader.addTarget(
                job: loader.addJob(target.job), identity: TargetIdentity(rawValue: UInt64(index)), labels: labels,
                address: labels.value(of: table.nameID(for: "__address__"), in: table),
                collector: target.collector.flatMap { numbers[$0] })
        }
        return AllocationSnapshot(
            state: loader.finish(), head: head(revision), scrapeConfigs: scrapeConfigs, pendingJobs: pendingJobs)
    }

    /// `count` targets of one job and collector, with `labelCount` labels each.
    static func many(_ count: Int, job: String, collector: String, labelCount: Int = 3) -> [FixtureTarget] {
        (0..<count).map { index in
            var labels = ["__address__": "10.0.\(index / 256).\(index % 256):8080"]
            for label in 1..<max(2, labelCount) { labels["__meta_label_\(label)"] = "value \(index)-\(label)" }
            return FixtureTarget(job, collector, labels)
        }
    }
}

/// A responder and what it serves from.
struct ResponderFixture {
    let publisher = SnapshotPublisher()
    let metrics = MetricsRegistry()
    let cache: AnswerCache
    let responder: StandardResponder

    init(_ snapshot: AllocationSnapshot? = nil, showsSecrets: Bool = false, cacheBytesMax: Int = 1 << 20) {
        cache = AnswerCache(bytesMax: cacheBytesMax)
        responder = StandardResponder(publisher: publisher, metrics: metrics, cache: cache, showsSecrets: showsSecrets)
        if let snapshot { publish(snapshot) }
    }

    func publish(_ snapshot: AllocationSnapshot) {
        publisher.publish(snapshot)
        publisher.update { $0.reasonsNotReady = [] }
    }
}
