//
// RelabelReference.swift: relabeling written down as plainly as possible, to compare the fast one with.
//
// It keeps names and values as strings and every set as an array that is searched; templates are expanded as they are
// met; expressions always go to the engine. Structure after Prometheus v3.14 model/labels.Builder.
//

import AllocationCore

@testable import PrometheusConfig

struct ReferenceLabels {
    typealias Label = (name: String, value: String)

    private var base: [Label]
    private var deleted: [String]
    private var added: [Label] = []

    init(_ labels: [String: String]) {
        base = labels.map { ($0.key, $0.value) }.sorted { ByteOrder.precedes($0.name, $1.name) }
        deleted = base.filter { $0.value.isEmpty }.map(\.name)
    }

    /// In builder order.
    var labels: [Label] {
        base.filter { label in !deleted.contains(label.name) && !added.contains { $0.name == label.name } } + added
    }

    func value(_ name: String) -> String {
        if let label = added.first(where: { $0.name == name }) { return label.value }
        if deleted.contains(name) { return "" }
        return base.first { $0.name == name }?.value ?? ""
    }

    mutating func set(_ name: String, _ value: String) {
        if value.isEmpty { return delete(name) }
        if let index = added.firstIndex(where: { $0.name == name }) {
            added[index].value = value
        } else {
            added.append((name, value))
        }
    }

    mutating func delete(_ name: String) {
        added.removeAll { $0.name == name }
        deleted.append(name)
    }

    /// False: dropped.
    mutating func run(_ rules: [RelabelConfig], scheme: NameValidationScheme) throws -> Bool {
        for rule in rules where try !run(rule, scheme) { return false }
        return true
    }

    private mutating func run(_ rule: RelabelConfig, _ scheme: NameValidationScheme) throws -> Bool {
        let regex = try RelabelRegex(rule.regex ?? "(.*)", usesEngineAlways: true)
        let input = rule.sourceLabels.map { value($0) }.joined(separator: rule.separator)
        switch rule.action {
        case .keep: return regex.matches(input)
        case .drop: return !regex.matches(input)
        case .keepequal: return input == value(rule.targetLabel)
        case .dropequal: return input != value(rule.targetLabel)
        case .replace:
            guard let groups = regex.groups(input) else { return true }
            let name = expand(rule.targetLabel, input, groups, regex)
            guard scheme.isValidLabelName(name) else { return true }
            set(name, expand(rule.replacement, input, groups, regex))
        case .hashmod:
            let hash = Array(input.utf8).withUnsafeBytes { MD5.lowerHalf(of: $0) }
            set(rule.targetLabel, String(hash % rule.modulus))
        case .lowercase, .uppercase:
            let mapping: SimpleCaseMapping = rule.action == .lowercase ? .lower : .upper
            var mapped = String.UnicodeScalarView()
            for scalar in input.unicodeScalars { mapped.append(mapping.map(scalar)) }
            set(rule.targetLabel, String(mapped))
        case .labelmap:
            for label in labels where regex.matches(label.name) {
                set(replaceAll(label.name, rule.replacement, regex), label.value)
            }
        case .labeldrop:
            for label in labels where regex.matches(label.name) { delete(label.name) }
        case .labelkeep:
            for label in labels where !regex.matches(label.name) { delete(label.name) }
        }
        return true
    }

    private func replaceAll(_ name: String, _ replacement: String, _ regex: RelabelRegex) -> String {
        var result = ""
        var (copied, search) = (0, 0)
        let text = Array(name.utf8)
        while search <= text.count, let groups = regex.groups(name, from: search), let match = groups[0] {
            result += String(decoding: text[copied..<match.lowerBound], as: UTF8.self)
            if match.upperBound > copied || match.lowerBound == 0 { result += expand(replacement, name, groups, regex) }
            copied = match.upperBound
            var next = search + 1
            while next < text.count, text[next] & 0xC0 == 0x80 { next += 1 }
            search = max(next, match.upperBound)
        }
        return result + String(decoding: text[copied...], as: UTF8.self)
    }

    private func expand(
        _ template: String, _ input: String, _ groups: [Range<Int>?], _ regex: RelabelRegex
    ) -> String {
        let bytes = Array(input.utf8)
        func text(_ index: Int) -> String? {
            groups.indices.contains(index) ? groups[index].map { String(decoding: bytes[$0], as: UTF8.self) } : nil
        }
        var result = ""
        var rest = template.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "$" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            if rest.first == "$" {
                rest.removeFirst()
                result += "$"
                continue
            }
            var ahead = rest
            let isBraced = ahead.first == "{"
            if isBraced { ahead.removeFirst() }
            let name = String(
                ahead.prefix { $0 == "_" || $0.properties.isAlphabetic || $0.properties.numericType == .decimal })
            ahead.removeFirst(name.unicodeScalars.count)
            if name.isEmpty || (isBraced && ahead.popFirst() != "}") {
                result += "$"
                continue
            }
            rest = ahead
            if let number = Int(name), String(number) == name {
                result += text(number) ?? ""
            } else {
                result +=
                    regex.groupNames.indices.lazy.filter { regex.groupNames[$0] == name }.compactMap { text($0) }.first
                    ?? ""
            }
        }
        return result
    }
}
