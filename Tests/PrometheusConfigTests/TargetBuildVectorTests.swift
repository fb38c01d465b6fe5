import AllocationCore
import PrometheusConfig
import Testing

/// Goal: from discovery to the scraped target as Prometheus 3.14 goes.
///
/// Method: every case of target-build.json, which was run through Prometheus; and what the vectors leave out.
@Suite struct TargetBuildVectorTests {
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
        struct Job: Decodable, Sendable {
            var name: String
            var scheme: String?
            var params: [String: [String]]?
            var rules: [RelabelRuleVector]?

            private enum CodingKeys: String, CodingKey {
                case scheme, params
                case name = "job_name"
                case rules = "relabel_configs"
            }
        }

        struct Result: Decodable, Sendable {
            var labels: [String: String]?
            var dropped: Bool?
            var error: String?
        }

        var name: String
        var target: String
        var groupLabels: [String: String]
        var job: Job
        var discovered: [String: String]
        var result: Result

        private enum CodingKeys: String, CodingKey {
            case name, target
            case groupLabels = "target_group_labels"
            case job = "scrape_config"
            case discovered = "discovered_3_14"
            case result = "result_3_14"
        }

        var testDescription: String { name }
    }

    static let cases: [Case] = RelabelFixture.cases("target-build")

    @Test("All 28 cases are here")
    func count() {
        #expect(Self.cases.count == 28)
    }

    @Test("Every target ends as in Prometheus", arguments: cases)
    func populate(_ vector: Case) throws {
        var settings = Self.settings(vector.job.name)
        settings.scheme = vector.job.scheme ?? "http"
        settings.params = vector.job.params ?? [:]
        settings.rules = try (vector.job.rules ?? []).compactMap { try $0.config() }
        #expect(settings.rules.count == vector.job.rules?.count ?? 0)
        let history = try ScrapeTarget.populate(
            own: ["__address__": vector.target], group: vector.groupLabels, settings: settings,
            table: LabelTable()
        )
        #expect(history.discovered == vector.discovered)
        switch history.outcome {
        case .scraped(let target):
            #expect(target.labels == vector.result.labels)
        case .dropped:
            #expect(vector.result.dropped == true)
        case .failed(let error):
            #expect(error.description == vector.result.error)
        }
    }

    @Test(
        "The URL has the label's parameters before the job's, sorted and escaped as Go does",
        arguments: [
            ([:], [:], "http://h:1/metrics"),
            (
                ["__param_target": "https://a b/?x=é"], ["module": ["m", "n"]],
                "http://h:1/metrics?module=m&module=n&target=https%3A%2F%2Fa+b%2F%3Fx%3D%C3%A9"
            ),
            (["__param_module": "own"], ["module": ["m", "n"], "none": []], "http://h:1/metrics?module=own&module=n"),
            (["__metrics_path__": "p q?"], [:], "http://h:1/p%20q%3F"),
            (["__scheme__": "https", "__metrics_path__": "/"], [:], "https://h:1/"),
        ] as [([String: String], [String: [String]], String)]
    )
    func url(_ labels: [String: String], _ params: [String: [String]], _ expected: String) throws {
        var settings = Self.settings("j")
        settings.params = params
        let history = try ScrapeTarget.populate(
            own: ["__address__": "h:1"], group: labels, settings: settings, table: LabelTable())
        guard case .scraped(let target) = history.outcome else {
            Issue.record("\(history.outcome)")
            return
        }
        #expect(target.url == expected)
    }

    @Test(
        "A histogram label must be a boolean",
        arguments: [("true", true), ("F", true), ("", true), ("yes", false), ("TrUe", false)]
    )
    func booleans(_ text: String, _ isAccepted: Bool) throws {
        let history = try ScrapeTarget.populate(
            own: ["__address__": "h:1", "__scrape_native_histograms__": text], group: [:], settings: Self.settings("j"),
            table: LabelTable())
        if case .scraped = history.outcome { #expect(isAccepted) } else { #expect(!isAccepted) }
    }

    @Test("The rule that dropped a target is named")
    func droppingRule() throws {
        var settings = Self.settings("j")
        settings.rules = [
            RelabelConfig(targetLabel: "a", replacement: "1"),
            RelabelConfig(sourceLabels: ["a"], regex: "1", action: .drop),
            RelabelConfig(sourceLabels: ["a"], regex: "2", action: .keep),
        ]
        let history = try ScrapeTarget.populate(
            own: ["__address__": "h:1"], group: [:], settings: settings, table: LabelTable())
        #expect(history.outcome == .dropped(ruleIndex: 1))
    }

    private static func settings(_ job: String) -> ScrapeTargetSettings {
        ScrapeTargetSettings(
            job: job, scrapeInterval: PrometheusDuration(milliseconds: 60_000),
            scrapeTimeout: PrometheusDuration(milliseconds: 10_000))
    }
}
