//
// RelabelConfig+Validation.swift: which relabel rules are accepted.
//
// The checks and their order are those of Prometheus v3.14, Config.Validate in model/relabel; the first failure wins.
//

extension RelabelConfig {
    /// Checks the rule as Prometheus does when it loads a configuration, the regular expression included.
    ///
    /// - Parameter scheme: The job's `metric_name_validation_scheme`.
    package func validate(scheme: NameValidationScheme) throws(RelabelConfigError) {
        for name in sourceLabels where !NameValidationScheme.utf8.isValidLabelName(name) {
            throw .invalidSourceLabel(name)
        }
        do {
            _ = try RelabelRegex.shared(regex ?? Self.defaultRegex)
        } catch {
            throw .invalidRegex(error)
        }
        try validateTarget(scheme: scheme)
        try validateUnusedFields()
    }

    private func validateTarget(scheme: NameValidationScheme) throws(RelabelConfigError) {
        if action == .hashmod, modulus == 0 { throw .zeroModulus }
        switch action {
        case .replace:
            if targetLabel.isEmpty { throw .missingTargetLabel(action) }
            let isValid =
                targetLabel.utf8.contains(UInt8(ascii: "$"))
                ? scheme.isValidTemplate(targetLabel) : scheme.isValidLabelName(targetLabel)
            if !isValid { throw .invalidTargetLabel(targetLabel, action) }
        case .lowercase, .uppercase, .keepequal, .dropequal, .hashmod:
            if targetLabel.isEmpty { throw .missingTargetLabel(action) }
            if !scheme.isValidLabelName(targetLabel) { throw .invalidTargetLabel(targetLabel, action) }
            if action != .hashmod, replacement != Self.defaultReplacement { throw .replacementNotAllowed(action) }
        case .labelmap:
            if !scheme.isValidTemplate(replacement) { throw .invalidReplacement(replacement, action) }
        case .keep, .drop, .labeldrop, .labelkeep: break
        }
    }

    private func validateUnusedFields() throws(RelabelConfigError) {
        let hasDefaults =
            modulus == 0 && separator == Self.defaultSeparator && replacement == Self.defaultReplacement
        switch action {
        case .keepequal, .dropequal:
            if regex != nil || !hasDefaults { throw .requiresOnlySourceAndTarget(action) }
        case .labeldrop, .labelkeep:
            if sourceLabelsWritten || !sourceLabels.isEmpty || !targetLabel.isEmpty || !hasDefaults {
                throw .requiresOnlyRegex(action)
            }
        case .replace, .keep, .drop, .hashmod, .labelmap, .lowercase, .uppercase: break
        }
    }
}

extension NameValidationScheme {
    /// Whether a label may have this name. A Swift string is always valid UTF-8.
    package func isValidLabelName(_ name: String) -> Bool {
        switch self {
        case .utf8: !name.isEmpty
        case .legacy: Self.isLegacyName(name.utf8)
        }
    }

    /// Whether the bytes, which are valid UTF-8, may be a label's name.
    func isValidLabelName(_ name: UnsafeRawBufferPointer) -> Bool {
        switch self {
        case .utf8: !name.isEmpty
        case .legacy: Self.isLegacyName(name)
        }
    }

    /// Whether a text with `$1`, `${1}`, `$name`, `${name}` in it may become a label's name. Prometheus writes the legacy
    /// rule as `^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$`: only a leading digit is refused, and a `$` that is no
    /// reference.
    func isValidTemplate(_ text: String) -> Bool {
        if self == .utf8 { return !text.isEmpty }
        var rest = Substring(text).utf8
        var isFirst = true
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "$") {
                let isBraced = rest.first == UInt8(ascii: "{")
                if isBraced { rest.removeFirst() }
                let reference = rest.prefix(while: ASCIIClass.isWord)
                rest = rest.dropFirst(reference.count)
                if reference.isEmpty { return false }
                if isBraced, rest.popFirst() != UInt8(ascii: "}") { return false }
            } else if !ASCIIClass.isWord(byte) || (isFirst && ASCIIClass.isDigit(byte)) {
                return false
            }
            isFirst = false
        }
        return !isFirst
    }

    private static func isLegacyName(_ name: some Collection<UInt8>) -> Bool {
        guard let first = name.first, !ASCIIClass.isDigit(first) else { return false }
        return name.allSatisfy(ASCIIClass.isWord)
    }
}
