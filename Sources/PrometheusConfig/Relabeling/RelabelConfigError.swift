//
// RelabelConfigError.swift: why a relabel rule is refused, in Prometheus' words, so that they can be searched for.
//

/// A relabel rule that Prometheus would refuse. The description is Prometheus' own message.
package enum RelabelConfigError: Error, Equatable, CustomStringConvertible {
    case unknownAction(String)
    case invalidSourceLabel(String)
    case invalidRegex(RegexSyntaxError)
    case zeroModulus
    case missingTargetLabel(RelabelConfig.Action)
    case invalidTargetLabel(String, RelabelConfig.Action)
    case invalidReplacement(String, RelabelConfig.Action)
    case replacementNotAllowed(RelabelConfig.Action)
    /// `keepequal` and `dropequal` with a field they do not use.
    case requiresOnlySourceAndTarget(RelabelConfig.Action)
    /// `labeldrop` and `labelkeep` with a field they do not use.
    case requiresOnlyRegex(RelabelConfig.Action)

    package var description: String {
        switch self {
        case .unknownAction(let text): "unknown relabel action \"\(text)\""
        case .invalidSourceLabel(let name): "\"\(name)\" is not a valid label name"
        case .invalidRegex(let error): error.description
        case .zeroModulus: "relabel configuration for hashmod requires non-zero modulus"
        case .missingTargetLabel(let action):
            "relabel configuration for \(action.rawValue) action requires 'target_label' value"
        case .invalidTargetLabel(let name, let action):
            "\"\(name)\" is invalid 'target_label' for \(action.rawValue) action"
        case .invalidReplacement(let text, let action):
            "\"\(text)\" is invalid 'replacement' for \(action.rawValue) action"
        case .replacementNotAllowed(let action): "'replacement' can not be set for \(action.rawValue) action"
        case .requiresOnlySourceAndTarget(let action):
            "\(action.rawValue) action requires only 'source_labels' and `target_label`, and no other fields"
        case .requiresOnlyRegex(let action):
            "\(action.rawValue) action requires only 'regex', and no other fields"
        }
    }
}
