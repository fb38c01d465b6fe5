//
// LabelSelectorForm.swift: whether a label selector of upstream's file is well-formed.
//
// Both spellings are taken: Kubernetes' `matchLabels` and the all-lowercase one that the operator writes. Nothing
// selects by them yet; a mistake is refused all the same, as upstream refuses it.
//

import PrometheusConfig

enum LabelSelectorForm {
    private static let operators = ["In", "NotIn", "Exists", "DoesNotExist"]

    static func check(_ node: YAMLNode, refusal location: ConfigurationLocation) throws(ConfigurationError) {
        guard let mapping = node.mapping else { throw wrongType("a label selector", location, node) }
        for member in mapping.members {
            let inner = ConfigurationLocation(
                file: location.file, mark: member.value.mark, path: "\(location.path).\(member.key.text)")
            switch member.key.text.lowercased() {
            case "matchlabels": try checkLabels(member.value, inner)
            case "matchexpressions": try checkExpressions(member.value, inner)
            default: continue
            }
        }
    }

    private static func checkLabels(
        _ node: YAMLNode, _ location: ConfigurationLocation
    ) throws(ConfigurationError) {
        if node.isNull { return }
        guard let mapping = node.mapping, mapping.members.allSatisfy({ $0.value.scalar != nil }) else {
            throw wrongType("a mapping of labels to values", location, node)
        }
    }

    private static func checkExpressions(
        _ node: YAMLNode, _ location: ConfigurationLocation
    ) throws(ConfigurationError) {
        if node.isNull { return }
        guard let expressions = node.sequence else { throw wrongType("a list of expressions", location, node) }
        for (index, expression) in expressions.enumerated() {
            let inner = location.element(index, at: expression.mark)
            guard let mapping = expression.mapping else { throw wrongType("an expression", inner, expression) }
            var fields: [String: YAMLNode] = [:]
            for member in mapping.members { fields[member.key.text.lowercased()] = member.value }
            guard let name = fields["operator"]?.scalar?.text, operators.contains(name) else {
                throw ConfigurationError(
                    location: inner, kind: .invalid,
                    problem: "expected an operator: \(operators.joined(separator: ", "))")
            }
            guard fields["key"]?.scalar != nil else { throw wrongType("a key", inner, expression) }
            guard fields["values"].map({ $0.isNull || $0.sequence != nil }) ?? true else {
                throw wrongType("a list of values", inner, expression)
            }
        }
    }

    private static func wrongType(
        _ expected: String, _ location: ConfigurationLocation, _ node: YAMLNode
    ) -> ConfigurationError {
        var location = location
        location.mark = node.mark
        return ConfigurationError(location: location, kind: .wrongType, problem: "expected \(expected)")
    }
}
