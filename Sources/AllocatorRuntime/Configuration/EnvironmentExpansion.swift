//
// EnvironmentExpansion.swift: replaces `${env:NAME}` in the values of the `config` section.
//
// Never in relabel rules, whose `$1` and `${1}` are theirs, and never in keys. A value that YAML would take for
// something other than what the variable holds (`010`, `yes`) stays the text that it is.
//

import PrometheusConfig

struct EnvironmentExpansion {
    private static let untouched: Set<String> = ["relabel_configs", "metric_relabel_configs"]

    let file: String
    let environment: [String: String]

    /// - Throws: ``ConfigurationError``: a variable that is not set, or a reference without its end.
    func expand(_ node: YAMLNode) throws(ConfigurationError) -> YAMLNode {
        var node = node
        switch node.content {
        case .scalar(let scalar):
            guard scalar.text.contains("${env:") else { return node }
            node.content = .scalar(try expand(scalar, at: node.mark))
        case .sequence(let items):
            var expanded: [YAMLNode] = []
            expanded.reserveCapacity(items.count)
            for item in items { expanded.append(try expand(item)) }
            node.content = .sequence(expanded)
        case .mapping(var mapping):
            for index in mapping.members.indices where !Self.untouched.contains(mapping.members[index].key.text) {
                mapping.members[index].value = try expand(mapping.members[index].value)
            }
            node.content = .mapping(mapping)
        }
        return node
    }

    private func expand(_ scalar: YAMLScalar, at mark: YAMLMark) throws(ConfigurationError) -> YAMLScalar {
        var rest = scalar.text[...]
        var text = ""
        while let start = rest.firstRange(of: "${env:") {
            text += rest[..<start.lowerBound]
            rest = rest[start.upperBound...]
            guard let end = rest.firstIndex(of: "}") else {
                throw failure("\"${env:\" without its \"}\"", at: mark)
            }
            let name = String(rest[..<end])
            guard let value = environment[name] else {
                throw failure("the environment variable \(String(reflecting: name)) is not set", at: mark)
            }
            text += value
            rest = rest[rest.index(after: end)...]
        }
        text += rest
        var expanded = scalar
        expanded.text = text
        if expanded.isPlain, expanded.normalisedText != text { expanded.isPlain = false }
        return expanded
    }

    private func failure(_ problem: String, at mark: YAMLMark) -> ConfigurationError {
        ConfigurationError(file: file, mark: mark, path: "config", kind: .invalid, problem: problem)
    }
}
