import AllocationCore
import Testing

@testable import PrometheusConfig

/// Goal: precomputing what a group's targets share changes nothing.
///
/// Method: random groups and rules out of small pools, so that names and values collide often, compared with
/// ``ReferenceLabels``. The numbers come from the seed, so a failure can be repeated.
@Suite struct TargetBuilderPropertyTests {
    @Test("Identities, labels and drops are those of the plain way", arguments: 0..<24)
    func equalsReference(_ seed: Int) async throws {
        var random = SeededRandom(seed: UInt64(seed))
        let table = LabelTable()
        var scratch = RelabelScratch()
        for _ in 0..<12 {
            let jobs = (0..<2).map { _ in RandomJob(&random) }
            let builders = try jobs.map { try $0.builder(table) }
            // Alternating, so that a scratch meets rules again after others; with groups much like the last, in which
            // remembered places hold or just fail.
            var group = RandomGroup(&random)
            for _ in 0..<8 {
                for (job, builder) in zip(jobs, builders) {
                    group = group.relative(&random)
                    var targets = ContiguousArray<IdentifiedTarget>()
                    let dropped = builder.build(group.inTable(table), scratch: &scratch, into: &targets)
                    let expected = try group.reference(job)
                    #expect(dropped == group.targets.count - expected.count)
                    #expect(targets.map(\.identity.rawValue) == expected.map(\.identity), "\(job) \(group)")
                    #expect(targets.map { $0.labels.dictionary(in: table) } == expected.map(\.merged))
                }
            }
        }
    }

    @Test("Labels after the rules, in order", arguments: 0..<16)
    func labelsInOrder(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(1_000 + seed))
        let table = LabelTable()
        var scratch = RelabelScratch()
        for _ in 0..<60 {
            let job = RandomJob(&random)
            let labels = RandomGroup(&random).labels
            let relabeling = try CompiledRelabeling(job.rules, scheme: job.validation, table: table)
            let base = LabelSet(labels, in: table)
            let droppedBy = relabeling.run(on: base, scratch: &scratch)
            var reference = ReferenceLabels(labels)
            #expect(try (droppedBy == nil) == reference.run(job.rules, scheme: job.validation))
            let result = scratch.labels(over: base, in: table)
            if droppedBy == nil {
                #expect(
                    result.map { "\($0.name)=\($0.value)" } == reference.labels.map { "\($0.name)=\($0.value)" },
                    "\(job) \(labels)")
            }
        }
    }

    @Test("Several threads build with one builder")
    func concurrently() async throws {
        var random = SeededRandom(seed: 99)
        let table = LabelTable()
        let builder = try RandomJob(&random, ruleCount: 8).builder(table)
        let groups = (0..<200).map { _ in RandomGroup(&random).inTable(table) }
        let alone = Self.buildAll(groups, builder)
        let together = await withTaskGroup(of: [IdentifiedTarget].self) { tasks in
            for _ in 0..<4 { tasks.addTask { Self.buildAll(groups, builder) } }
            return await tasks.reduce(into: []) { $0.append($1) }
        }
        #expect(together.count == 4)
        for result in together { #expect(result == alone) }
    }

    private static func buildAll(_ groups: [TargetGroup], _ builder: TargetBuilder) -> [IdentifiedTarget] {
        var scratch = RelabelScratch()
        var targets = ContiguousArray<IdentifiedTarget>()
        for group in groups { _ = builder.build(group, scratch: &scratch, into: &targets) }
        return Array(targets)
    }
}

/// A job with rules that Prometheus accepts.
struct RandomJob: CustomStringConvertible {
    var rules: [RelabelConfig] = []
    var filter: Bool
    var params: [(String, String)]
    var metricsPath: String
    var validation: NameValidationScheme

    private static let names = [
        "a", "b", "c", "__address__", "__meta_x", "__meta_y_z", "job", "__scheme__", "__tmp_h", "__param_p", "instance",
        "__tmp_disable_sharding", "z9",
    ]
    private static let regexes: [String?] = [
        nil, "(.*)", "(.+)", ".*", "", "a", "a|b", "(a|b|http);?(.*)", "(.*);", "__meta_(.+)", "__(?:tmp|param)_.*",
        "[ab].*",
        "(?P<n>a)|(?P<n>b.*)", "(?<x>[^:]+)(?::\\d+)?", "a)|(b", "(?i)A.*", "x;(.*)", "(a|);(b|)", "__meta_x|b",
        "(a)?(.*)",
    ]
    private static let replacements = [
        "$1", "${1}", "$0", "", "k", "$n", "x_${1}_$2", "$$1", "$2", "${x}:9", "é$1", "$1$1",
    ]
    private static let targets = [
        "a", "b", "new", "job", "__address__", "__meta_made", "$1", "t_${1}", "${n}", "__tmp_h", "__scheme__",
    ]

    init(_ random: inout SeededRandom, ruleCount: Int? = nil) {
        filter = Int.random(in: 0..<8, using: &random) > 0
        params = Bool.random(using: &random) ? [("p", "1"), ("q", Self.pick(["", "2"], &random))] : []
        metricsPath = Self.pick(["/metrics", ""], &random)
        validation = Self.pick([.utf8, .utf8, .legacy], &random)
        let count = ruleCount ?? Int.random(in: 0...6, using: &random)
        while rules.count < count {
            let rule = Self.rule(&random)
            if (try? rule.validate(scheme: validation)) != nil { rules.append(rule) }
        }
    }

    private static func pick<T>(_ pool: [T], _ random: inout SeededRandom) -> T {
        pool[Int.random(in: 0..<pool.count, using: &random)]
    }

    private static func rule(_ random: inout SeededRandom) -> RelabelConfig {
        let action = pick(RelabelConfig.Action.allCases + [.replace, .replace, .replace, .labelmap], &random)
        var rule = RelabelConfig(action: action)
        if action != .keepequal, action != .dropequal { rule.regex = pick(regexes, &random) }
        if action == .replace || action == .labelmap { rule.replacement = pick(replacements, &random) }
        if action == .labeldrop || action == .labelkeep { return rule }
        rule.sourceLabels = (0..<pick([0, 1, 1, 1, 2, 3], &random)).map { _ in pick(names, &random) }
        if action == .labelmap { return rule }
        if action != .keepequal, action != .dropequal { rule.separator = pick([";", ";", "", "ab"], &random) }
        if action != .keep, action != .drop { rule.targetLabel = pick(targets, &random) }
        if action == .hashmod { rule.modulus = pick([1, 2, 8, .max], &random) }
        return rule
    }

    func builder(_ table: LabelTable) throws -> TargetBuilder {
        try TargetBuilder(
            job: "j", scrapeInterval: "1m", scrapeTimeout: "10s", metricsPath: metricsPath, scheme: "http",
            params: params,
            rules: rules, filter: filter, validationScheme: validation, table: table
        )
    }

    var description: String {
        "filter \(filter) params \(params) path \(metricsPath) \(validation)\n"
            + rules.map { "\($0)" }.joined(separator: "\n")
    }
}

/// A group whose targets share some labels.
struct RandomGroup {
    var labels: [String: String]
    var targets: [[String: String]]

    private static let names = [
        "a", "b", "c", "__meta_x", "__meta_y_z", "__meta_a", "job", "__scheme__", "__param_p", "__tmp_disable_sharding",
        "é", "z9",
    ]
    private static let values = ["", "a", "b", "ab", "http", "x;y", "A", "é", "10.0.0.1:80", "\n"]

    init(_ random: inout SeededRandom) {
        labels = Self.labels(Int.random(in: 0...7, using: &random), &random)
        targets = []
        var own = Self.labels(Int.random(in: 0...3, using: &random), &random)
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            if Int.random(in: 0..<4, using: &random) == 0 {
                own = Self.labels(Int.random(in: 0...3, using: &random), &random)
            }
            for name in own.keys.sorted() {
                own[name] = Self.values[Int.random(in: 0..<Self.values.count, using: &random)]
            }
            own["__address__"] =
                Bool.random(using: &random) ? "10.0.0.\(Int.random(in: 0...9, using: &random)):80" : own["__address__"]
            targets.append(own)
        }
    }

    /// A group with the same names, with one more or one less, or with nothing in common.
    func relative(_ random: inout SeededRandom) -> RandomGroup {
        let kind = Int.random(in: 0..<8, using: &random)
        if kind == 0 { return RandomGroup(&random) }
        var group = self
        for name in labels.keys.sorted() { group.labels[name] = Self.values.randomElement(using: &random) }
        if kind == 1, let name = labels.keys.sorted().randomElement(using: &random) { group.labels[name] = nil }
        if kind == 2, let name = Self.names.randomElement(using: &random) { group.labels[name] = "new" }
        return group
    }

    private static func labels(_ count: Int, _ random: inout SeededRandom) -> [String: String] {
        var labels: [String: String] = [:]
        for _ in 0..<count {
            labels[names[Int.random(in: 0..<names.count, using: &random)]] =
                values[Int.random(in: 0..<values.count, using: &random)]
        }
        return labels
    }

    func inTable(_ table: LabelTable) -> TargetGroup {
        TargetGroup(source: "s", labels: LabelSet(labels, in: table), targets: targets.map { LabelSet($0, in: table) })
    }

    /// The targets kept, the plain way.
    func reference(_ job: RandomJob) throws -> [(identity: UInt64, merged: [String: String])] {
        try targets.compactMap { own in
            let merged = labels.merging(own) { _, own in own }
            var state = ReferenceLabels(merged)
            if job.filter {
                let seeds =
                    [
                        ("job", "j"), ("__scrape_interval__", "1m"), ("__scrape_timeout__", "10s"),
                        ("__metrics_path__", job.metricsPath), ("__scheme__", "http"),
                    ] + job.params.map { ("__param_\($0.0)", $0.1) }
                for (name, value) in seeds where state.value(name).isEmpty { state.set(name, value) }
                state.set("__tmp_disable_sharding", "true")
                guard try state.run(job.rules, scheme: job.validation) else { return nil }
                state.delete("__tmp_disable_sharding")
            }
            var bytes: [UInt8] = []
            for label in state.labels where !label.name.hasPrefix("__meta_") {
                bytes += Array(label.name.utf8) + [0xFF] + Array(label.value.utf8) + [0xFF]
            }
            bytes += Array("j".utf8)
            return (bytes.withUnsafeBytes { XXH64.hash($0) }, merged)
        }
    }
}
