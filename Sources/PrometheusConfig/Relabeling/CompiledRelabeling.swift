//
// CompiledRelabeling.swift: relabel rules in the form in which they are run.
//
// Every label name that the rules mention has a small number, its slot; the running target keeps its labels by slot
// (RelabelScratch), so that no rule looks a name up. What is run per target is plain values without reference counting,
// since several threads run the same rules at once.
//

import AllocationCore

/// One rule, ready to run.
struct RelabelStep {
    enum Action {
        case keep, drop, keepEqual, dropEqual
        /// `target` is a slot or, if negative, `targetTemplate` gives the name.
        case replace
        /// A `replace` that always matches with the input itself as its result.
        case copy
        /// A `replace` that always matches with a constant as its result.
        case assign
        case hashMod, lowercase, uppercase
        case labelMap, labelDrop, labelKeep
        /// A `labeldrop` that names its labels: `sources` holds their slots.
        case delete
    }

    var action: Action
    /// Slots of the source labels.
    var sources: UnsafeBufferPointer<Int32>
    var separator: UnsafeRawBufferPointer
    var matcher: RegexMatcher
    /// Spans to ask the matcher for: the highest group that a template needs, and one.
    var groupCount: Int32
    var target: Int32
    var targetTemplate: UnsafeBufferPointer<TemplatePart>
    var replacement: UnsafeBufferPointer<TemplatePart>
    var modulus: UInt64
    /// The number of this rule among those that match names.
    var nameRule: Int32
    /// The number of this rule among those whose last outcome is remembered; -1: not worth it.
    var memo: Int32
}

/// A part of a template, ready to expand.
enum TemplatePart {
    case literal(UnsafeRawBufferPointer)
    case group(Int32)
    case firstParticipating(UnsafeBufferPointer<Int32>)
}

/// A name that has a slot from the start.
struct SlotName {
    /// The table's name number.
    var id: UInt32
    var bytes: UnsafeRawBufferPointer
}

/// Compiled rules. Immutable; owns all memory that its steps point to.
// @unchecked: everything is written in init alone.
package final class CompiledRelabeling: @unchecked Sendable {
    let table: LabelTable
    let scheme: NameValidationScheme
    let steps: UnsafeBufferPointer<RelabelStep>
    /// The names that have slots, in slot order.
    let names: UnsafeBufferPointer<SlotName>
    /// The slots of names that start with `__meta_`.
    let metaSlots: [Int32]
    /// Whether a rule may touch labels that no rule names: then every label needs a slot.
    let touchesAnyName: Bool
    /// Rules whose expression is matched against names.
    let nameRuleCount: Int
    /// Rules whose last outcome is remembered.
    let memoCount: Int
    /// The most spans any rule asks for.
    let groupCountMax: Int
    private let regexes: [RelabelRegex]
    private let storage: RelabelStorage

    /// - Parameters:
    ///   - rules: In the order in which they run.
    ///   - extraNames: Names to give the first slots to, in order and each once, whether a rule mentions them or not.
    ///   - scheme: Which names a `replace` with a template as its target may make.
    /// - Throws: What is wrong with the first rule that Prometheus would refuse.
    package init(
        _ rules: [RelabelConfig], extraNames: [String] = [], scheme: NameValidationScheme = .utf8, table: LabelTable
    ) throws(RelabelConfigError) {
        for rule in rules { try rule.validate(scheme: scheme) }
        var builder = RelabelProgramBuilder(table: table)
        for name in extraNames { _ = builder.slot(name) }
        var steps: [RelabelStep] = []
        for rule in rules { steps.append(try builder.step(rule)) }
        self.table = table
        self.scheme = scheme
        self.steps = builder.storage.allocate(steps)
        names = builder.storage.allocate(builder.names)
        metaSlots = builder.names.indices.filter { builder.names[$0].bytes.starts(with: "__meta_".utf8) }.map(
            Int32.init)
        touchesAnyName = builder.touchesAnyName
        nameRuleCount = Int(builder.nameRuleCount)
        memoCount = Int(builder.memoCount)
        groupCountMax = steps.reduce(1) { max($0, Int($1.groupCount)) }
        regexes = builder.regexes
        storage = builder.storage
    }

    /// The slot of a name that has one from the start; -1: it has none.
    func slot(of name: String) -> Int32 {
        let id = table.nameID(for: name).rawValue
        return names.firstIndex { $0.id == id }.map(Int32.init) ?? -1
    }
}

/// Memory of a program: written while it is built, freed with it.
final class RelabelStorage {
    private var arena = ByteArena()
    private var blocks: [UnsafeMutableRawPointer] = []

    deinit {
        for block in blocks { block.deallocate() }
    }

    func copy(_ text: String) -> UnsafeRawBufferPointer { arena.copy(text) }

    func copy(_ bytes: [UInt8]) -> UnsafeRawBufferPointer { bytes.withUnsafeBytes { arena.copy($0) } }

    /// The elements must be trivial: they are freed without being destroyed.
    func allocate<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeBufferPointer<Element> {
        let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: elements.count)
        _ = buffer.initialize(from: elements)
        if let base = buffer.baseAddress { blocks.append(UnsafeMutableRawPointer(base)) }
        return UnsafeBufferPointer(buffer)
    }
}

/// Gives names their slots and turns rules into steps.
private struct RelabelProgramBuilder {
    let table: LabelTable
    let storage = RelabelStorage()
    var names: [SlotName] = []
    var regexes: [RelabelRegex] = []
    var touchesAnyName = false
    var nameRuleCount: Int32 = 0
    var memoCount: Int32 = 0
    private var slots: [LabelNameID: Int32] = [:]

    init(table: LabelTable) { self.table = table }

    mutating func slot(_ name: String) -> Int32 {
        let id = table.nameID(for: name)
        if let known = slots[id] { return known }
        let slot = Int32(names.count)
        slots[id] = slot
        names.append(SlotName(id: id.rawValue, bytes: storage.copy(name)))
        return slot
    }

    mutating func step(_ rule: RelabelConfig) throws(RelabelConfigError) -> RelabelStep {
        let regex: RelabelRegex
        do {
            regex = try RelabelRegex.shared(rule.regex ?? RelabelConfig.defaultRegex)
        } catch {
            throw .invalidRegex(error)
        }
        regexes.append(regex)
        var step = RelabelStep(
            action: .keep, sources: storage.allocate(rule.sourceLabels.map { slot($0) }),
            separator: storage.copy(rule.separator), matcher: regex.matcher, groupCount: 0, target: -1,
            targetTemplate: storage.allocate([]), replacement: storage.allocate([]), modulus: rule.modulus,
            nameRule: -1,
            memo: -1
        )
        switch rule.action {
        case .keep, .drop:
            step.action = rule.action == .keep ? .keep : .drop
            if regex.matcher.program != nil {
                step.memo = memoCount
                memoCount += 1
            }
        case .replace: fillReplace(&step, rule, regex)
        case .keepequal: (step.action, step.target) = (.keepEqual, slot(rule.targetLabel))
        case .dropequal: (step.action, step.target) = (.dropEqual, slot(rule.targetLabel))
        case .hashmod: (step.action, step.target) = (.hashMod, slot(rule.targetLabel))
        case .lowercase: (step.action, step.target) = (.lowercase, slot(rule.targetLabel))
        case .uppercase: (step.action, step.target) = (.uppercase, slot(rule.targetLabel))
        case .labelmap:
            step.action = .labelMap
            step.replacement = fill(&step, RelabelTemplate(rule.replacement, groupNames: regex.groupNames))
            fillNameRule(&step)
        case .labelkeep:
            step.action = .labelKeep
            fillNameRule(&step)
        case .labeldrop: fillLabelDrop(&step, regex)
        }
        return step
    }

    private mutating func fillReplace(_ step: inout RelabelStep, _ rule: RelabelConfig, _ regex: RelabelRegex) {
        let replacement = RelabelTemplate(rule.replacement, groupNames: regex.groupNames)
        step.action = .replace
        step.replacement = fill(&step, replacement)
        if rule.targetLabel.utf8.contains(UInt8(ascii: "$")) {
            touchesAnyName = true
            step.targetTemplate = fill(&step, RelabelTemplate(rule.targetLabel, groupNames: regex.groupNames))
            return
        }
        step.target = slot(rule.targetLabel)
        guard regex.matcher.matchesEverything else { return }
        if replacement.groupMax < 0 {
            step.action = .assign
        } else if replacement.parts == [.group([0])] || replacement.parts == [.group([1])] {
            // Without prefix and suffix, group 1 is the whole input.
            step.action = .copy
        }
    }

    private mutating func fillLabelDrop(_ step: inout RelabelStep, _ regex: RelabelRegex) {
        let matcher = regex.matcher
        guard matcher.program == nil, matcher.middle == .oneOf else {
            step.action = .labelDrop
            return fillNameRule(&step)
        }
        step.action = .delete
        let prefix = String(decoding: matcher.prefix, as: UTF8.self)
        let suffix = String(decoding: matcher.suffix, as: UTF8.self)
        let dropped = matcher.alternatives.map { slot(prefix + String(decoding: $0, as: UTF8.self) + suffix) }
        step.sources = storage.allocate(dropped)
    }

    private mutating func fillNameRule(_ step: inout RelabelStep) {
        step.nameRule = nameRuleCount
        nameRuleCount += 1
        touchesAnyName = true
    }

    private func fill(_ step: inout RelabelStep, _ template: RelabelTemplate) -> UnsafeBufferPointer<TemplatePart> {
        step.groupCount = max(step.groupCount, Int32(template.groupMax + 1))
        return storage.allocate(
            template.parts.map { part in
                switch part {
                case .literal(let text): .literal(storage.copy(text))
                case .group(let groups) where groups.count == 1: .group(Int32(groups[0]))
                case .group(let groups): .firstParticipating(storage.allocate(groups.map(Int32.init)))
                }
            }
        )
    }
}
