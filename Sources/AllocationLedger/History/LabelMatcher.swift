//
// LabelMatcher.swift: PromQL's label matchers: which label sets are meant.
//
// A label that a set does not have counts as empty, as in Prometheus, so {zone=""} finds sets without a zone and
// {zone!="a"} finds them too. Regular expressions match the whole value. Which engine compiles them is the caller's
// business: it must be RE2, whose running time no user's pattern can blow up.
//

/// One condition on one label.
package struct LabelMatcher: Sendable, Hashable, CustomStringConvertible {
    package enum Operation: String, Sendable, Hashable, CaseIterable {
        case equal = "="
        case notEqual = "!="
        case matches = "=~"
        case doesNotMatch = "!~"
    }

    /// `job` means the name of the target's job, whatever its labels say.
    package var name: String
    package var operation: Operation
    /// A text, or a regular expression for the whole value.
    package var value: String

    package init(name: String, operation: Operation, value: String) {
        self.name = name
        self.operation = operation
        self.value = value
    }

    /// The name that stands for the job.
    package static let jobName = "job"

    /// Reads `{job="api",__meta_x=~"web-.*"}`.
    package static func parse(_ text: String) throws(LabelMatcherError) -> [LabelMatcher] {
        var parser = LabelMatcherParser(text)
        return try parser.matchers()
    }

    /// As it is written, quoted anew.
    package var description: String {
        let isPlain = name.utf8.allSatisfy { LabelMatcherParser.isLetter($0) || LabelMatcherParser.isDigit($0) }
        let isName = isPlain && name.utf8.first.map { !LabelMatcherParser.isDigit($0) } == true
        return (isName ? name : Self.quoted(name)) + operation.rawValue + Self.quoted(value)
    }

    private static func quoted(_ text: String) -> String {
        var quoted = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return "\"\(quoted)\""
    }

    /// Compiles a regular expression into whether the whole of a value matches.
    package typealias RegexCompiler = (_ pattern: String) throws -> @Sendable (_ value: String) -> Bool
}

/// Where and why a text is no selector.
package struct LabelMatcherError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Characters before the fault, plus one.
    package var position: Int
    package var message: String

    package var description: String { "at character \(position): \(message)" }
}

/// Selectors ready to be asked: a label set is meant when all matchers of one of them hold.
package struct LabelSelection: Sendable {
    struct Condition: Sendable {
        let name: String
        let accepts: @Sendable (String) -> Bool
    }

    struct Alternative: Sendable {
        var job: [Condition] = []
        /// Places in ``LabelSelection/conditions``, as bits.
        var conditions: UInt64 = 0
    }

    private(set) var conditions: [Condition] = []
    private(set) var alternatives: [Alternative] = []

    /// Matchers that one question may have.
    package static let matchersMax = 64

    /// - Parameters:
    ///   - selectors: None selects everything.
    ///   - regex: Compiles a pattern, or throws what is wrong with it.
    /// - Throws: What `regex` throws; ``LabelMatcherError`` for more than ``matchersMax`` matchers.
    package init(anyOf selectors: [[LabelMatcher]], regex: LabelMatcher.RegexCompiler) throws {
        guard selectors.reduce(0, { $0 + $1.count }) <= Self.matchersMax else {
            throw LabelMatcherError(position: 1, message: "more than \(Self.matchersMax) matchers")
        }
        for selector in selectors {
            var alternative = Alternative()
            for matcher in selector {
                let condition = Condition(name: matcher.name, accepts: try Self.predicate(matcher, regex))
                if matcher.name == LabelMatcher.jobName {
                    alternative.job.append(condition)
                } else {
                    alternative.conditions |= 1 << UInt64(conditions.count)
                    conditions.append(condition)
                }
            }
            alternatives.append(alternative)
        }
    }

    private static func predicate(
        _ matcher: LabelMatcher, _ regex: LabelMatcher.RegexCompiler
    ) throws -> @Sendable (String) -> Bool {
        let wanted = matcher.value
        switch matcher.operation {
        // Bytewise: Swift's own equality takes differently composed letters for the same.
        case .equal: return { $0.utf8.elementsEqual(wanted.utf8) }
        case .notEqual: return { !$0.utf8.elementsEqual(wanted.utf8) }
        case .matches: return try regex(wanted)
        case .doesNotMatch:
            let matches = try regex(wanted)
            return { !matches($0) }
        }
    }

    /// Whether every label set of every job is meant.
    var isEverything: Bool { alternatives.isEmpty || alternatives.contains { $0.job.isEmpty && $0.conditions == 0 } }

    /// Whether a target of this job with these labels is meant.
    package func selects(job: String, labels: RecordedLabels) -> Bool {
        if alternatives.isEmpty { return true }
        var holds: UInt64 = 0
        for (place, condition) in conditions.enumerated() where condition.accepts(labels[condition.name] ?? "") {
            holds |= 1 << UInt64(place)
        }
        return alternatives.contains { $0.selects(job: job) && $0.conditions & holds == $0.conditions }
    }
}

extension LabelSelection.Alternative {
    func selects(job name: String) -> Bool { job.allSatisfy { $0.accepts(name) } }
}
