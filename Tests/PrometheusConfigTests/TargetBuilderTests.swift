import AllocationCore
import Testing

@testable import PrometheusConfig

/// Goal: a group becomes the targets that upstream makes of it, under the same identities.
///
/// Method: the vectors of spec/target-allocator.md B.2, and each rule of 6.2 and 6.3 on a group of its own.
@Suite struct TargetBuilderTests {
    struct Job {
        var name = "j"
        var metricsPath = "/metrics"
        var params: [(String, String)] = []
        var rules: [RelabelConfig] = []
        var filter = true

        func builder(_ table: LabelTable) throws -> TargetBuilder {
            try TargetBuilder(
                job: name, scrapeInterval: "1m", scrapeTimeout: "10s", metricsPath: metricsPath, scheme: "http",
                params: params, rules: rules, filter: filter, table: table
            )
        }
    }

    let table = LabelTable()

    private func build(
        _ job: Job, _ labels: [String: String], _ targets: [[String: String]]
    ) throws -> (targets: [IdentifiedTarget], dropped: Int) {
        let group = TargetGroup(
            source: "s", labels: LabelSet(labels, in: table), targets: targets.map { LabelSet($0, in: table) }
        )
        var scratch = RelabelScratch()
        var built = ContiguousArray<IdentifiedTarget>()
        let dropped = try job.builder(table).build(group, scratch: &scratch, into: &built)
        return (Array(built), dropped)
    }

    private func identity(_ job: Job, _ labels: [String: String], _ own: [String: String]) throws -> UInt64? {
        try build(job, labels, [own]).targets.first?.identity.rawValue
    }

    // MARK: B.2

    @Test(
        "Identity without a filter: job, test_label",
        arguments: [
            ("test-job", "test-value", 11_170_662_653_441_480_747 as UInt64),
            ("test-job", "test-value2", 5_467_859_392_755_170_604),
            ("test-job2", "test-value2", 1_641_186_170_520_627_519),
            ("test-job2", "test-value3", 14_477_087_093_029_933_912),
        ]
    )
    func plainIdentity(_ job: String, _ value: String, _ expected: UInt64) throws {
        let job = Job(name: job, filter: false)
        #expect(try identity(job, [:], ["test_label": value]) == expected)
        #expect(try identity(job, ["test_label": value], [:]) == expected)
        #expect(try identity(job, ["test_label": "overridden", "__meta_x": "1"], ["test_label": value]) == expected)
    }

    @Test("Identity with the filter off, and on without rules")
    func seededIdentity() throws {
        let own = ["__address__": "10.0.0.1:8080"]
        #expect(try identity(Job(name: "j1", filter: false), ["env": "prod"], own) == 13_932_890_364_984_342_901)
        #expect(try identity(Job(name: "j1"), ["env": "prod"], own) == 15_052_613_898_350_127_558)
        // A name that seeding sets, with the value it would set, is found in the base instead: another order.
        #expect(
            try identity(Job(name: "j1"), ["env": "prod", "__meta_a": "x", "none": ""], own)
                == 15_052_613_898_350_127_558)
    }

    @Test("Identity after rules")
    func relabelledIdentity() throws {
        let job = Job(
            name: "j2",
            rules: [
                RelabelConfig(
                    sourceLabels: ["__address__"], regex: "([^:]+)(?::\\d+)?", targetLabel: "__address__",
                    replacement: "${1}:9100"),
                RelabelConfig(sourceLabels: ["__meta_kubernetes_namespace"], targetLabel: "namespace"),
                RelabelConfig(sourceLabels: ["__meta_kubernetes_pod_name"], targetLabel: "pod"),
                RelabelConfig(targetLabel: "job", replacement: "ns/app"),
                RelabelConfig(regex: "drop_me", action: .labeldrop),
            ]
        )
        let labels = [
            "drop_me": "x", "empty": "", "zeta": "1", "__meta_kubernetes_namespace": "ns",
            "__meta_kubernetes_pod_name": "p-0",
        ]
        #expect(try identity(job, labels, ["__address__": "10.0.0.1:8080"]) == 10_231_709_811_982_260_607)
    }

    @Test("Identity of a probe, with a parameter")
    func probeIdentity() throws {
        let job = Job(
            name: "probe", metricsPath: "/probe", params: [("module", "http_2xx")],
            rules: [
                RelabelConfig(sourceLabels: ["__address__"], targetLabel: "__param_target"),
                RelabelConfig(sourceLabels: ["__param_target"], targetLabel: "instance"),
                RelabelConfig(targetLabel: "__address__", replacement: "bb:9115"),
            ]
        )
        #expect(try identity(job, [:], ["__address__": "https://example.com"]) == 17_752_631_057_302_217_858)
    }

    // MARK: Merging

    @Test("What is served are the merged labels, target labels before group labels, empty ones included")
    func merging() throws {
        let job = Job(rules: [
            RelabelConfig(targetLabel: "zone", replacement: "x"), RelabelConfig(regex: "env", action: .labeldrop),
        ])
        let result = try build(
            job, ["env": "group", "zone": "a", "none": ""],
            [
                ["__address__": "a:1"], ["__address__": "b:1", "env": "own"],
                ["zz": "", "__address__": "c:1", "aa": "1"], [:],
            ]
        )
        #expect(
            result.targets.map { $0.labels.dictionary(in: table) } == [
                ["__address__": "a:1", "env": "group", "zone": "a", "none": ""],
                ["__address__": "b:1", "env": "own", "zone": "a", "none": ""],
                ["__address__": "c:1", "env": "group", "zone": "a", "none": "", "aa": "1", "zz": ""],
                ["env": "group", "zone": "a", "none": ""],
            ]
        )
        for target in result.targets {
            #expect(target.labels == LabelSet(target.labels.dictionary(in: table), in: table))
        }
    }

    @Test("The address is the merged one, also when only the group has it")
    func address() throws {
        let result = try build(
            Job(), ["__address__": "group:1"],
            [["x": "1"], ["__address__": "own:1"], ["x": "1", "__address__": "two:1"]]
        )
        #expect(result.targets.map { $0.address.map(table.value) } == ["group:1", "own:1", "two:1"])
        #expect(try build(Job(), [:], [["x": "1"]]).targets.map(\.address) == [nil])
    }

    // MARK: Filter

    @Test("Dropped targets are counted only, and only with the filter on")
    func dropping() throws {
        let rules = [RelabelConfig(sourceLabels: ["env"], regex: "prod", action: .keep)]
        let targets = [
            ["__address__": "a:1", "env": "prod"], ["__address__": "b:1", "env": "test"], ["__address__": "c:1"],
        ]
        let filtered = try build(Job(rules: rules), [:], targets)
        #expect(filtered.dropped == 2)
        #expect(filtered.targets.map { $0.address.map(table.value) } == ["a:1"])
        let unfiltered = try build(Job(rules: rules, filter: false), [:], targets)
        #expect(unfiltered.dropped == 0)
        #expect(unfiltered.targets.count == 3)
    }

    @Test("The operator's sharding rule does not drop, and leaves no trace in the identity")
    func sharding() throws {
        let rules = [
            RelabelConfig(
                sourceLabels: ["__address__", "__tmp_hash"], regex: "(.+);", targetLabel: "__tmp_hash",
                replacement: "$1"),
            RelabelConfig(sourceLabels: ["__tmp_hash"], modulus: 1, targetLabel: "__tmp_hash", action: .hashmod),
            RelabelConfig(
                sourceLabels: ["__tmp_hash", "__tmp_disable_sharding"], regex: "$(SHARD);|.+;.+", action: .keep),
            RelabelConfig(regex: "__tmp_hash", action: .labeldrop),
        ]
        let own = ["__address__": "a:1"]
        #expect(try identity(Job(rules: rules), [:], own) == identity(Job(), [:], own))
        // A label of that very name is gone from the identity in either case.
        let disabled = ["__address__": "a:1", "__tmp_disable_sharding": "own"]
        #expect(try identity(Job(), [:], disabled) == identity(Job(), [:], own))
        #expect(try identity(Job(filter: false), [:], disabled) != identity(Job(filter: false), [:], own))
    }

    @Test("Seeding fills what is absent or empty and nothing else")
    func seeding() throws {
        let rules = [RelabelConfig(sourceLabels: ["job", "__scheme__", "__param_a"], regex: "j;http;1", action: .keep)]
        let job = Job(params: [("a", "1"), ("a", "2"), ("b", "")], rules: rules)
        #expect(try build(job, ["__scheme__": ""], [["__address__": "a:1"]]).dropped == 0)
        #expect(try build(job, ["job": "other"], [["__address__": "a:1"]]).dropped == 1)
        #expect(try build(job, ["__param_a": "own"], [["__address__": "a:1"]]).dropped == 1)
        // The same labels, but in the base's order.
        #expect(try identity(Job(), ["__scheme__": "http"], ["a": "1"]) != identity(Job(), [:], ["a": "1"]))
        #expect(try identity(Job(), ["__scheme__": ""], ["a": "1"]) == identity(Job(), [:], ["a": "1"]))
    }

    @Test("Names of jobs and labels are told apart by bytes")
    func bytes() throws {
        let composed = try identity(Job(), [:], ["a": "é"])
        #expect(try identity(Job(), [:], ["a": "e\u{301}"]) != composed)
        #expect(try identity(Job(name: "j\u{e9}"), [:], [:]) != identity(Job(name: "je\u{301}"), [:], [:]))
    }

    @Test("A refused rule is reported")
    func refusedRule() {
        #expect(throws: RelabelConfigError.zeroModulus) {
            try Job(rules: [RelabelConfig(targetLabel: "a", action: .hashmod)]).builder(table)
        }
    }
}
