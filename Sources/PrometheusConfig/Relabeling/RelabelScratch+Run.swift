//
// RelabelScratch+Run.swift: what each action does to the running target.
//
// Source of the actions: spec/prometheus-relabel.md 6, after Prometheus v3.14 model/relabel.
//

import AllocationCore
import CRE2

extension RelabelScratch {
    /// Runs the bound rules on the running target.
    ///
    /// - Returns: The index of the rule that dropped the target; nil when it was kept.
    mutating func run(_ relabeling: CompiledRelabeling) -> Int? {
        for index in relabeling.steps.indices {
            if !run(relabeling.steps[index], relabeling) { return index }
        }
        return nil
    }

    /// False: the target is dropped.
    @inline(__always)
    private mutating func run(_ step: RelabelStep, _ relabeling: CompiledRelabeling) -> Bool {
        switch step.action {
        case .keep: return step.matcher.matches(input(step))
        case .drop: return !step.matcher.matches(input(step))
        case .keepEqual: return RegexMatcher.equal(input(step), value(step.target))
        case .dropEqual: return !RegexMatcher.equal(input(step), value(step.target))
        case .replace: replace(step, relabeling)
        case .copy: set(step.target, input(step))
        case .assign: set(step.target, expand(step.replacement, UnsafeRawBufferPointer(start: nil, count: 0)))
        case .hashMod: set(step.target, hashMod(step))
        case .lowercase: set(step.target, SimpleCaseMapping.lower.map(input(step), in: &arena))
        case .uppercase: set(step.target, SimpleCaseMapping.upper.map(input(step), in: &arena))
        case .labelMap: mapNames(step)
        case .labelDrop: deleteNames(step, matching: true)
        case .labelKeep: deleteNames(step, matching: false)
        case .delete: for slot in step.sources { delete(slot) }
        }
        return true
    }

    /// The source labels' values, joined; an absent one is empty.
    @inline(__always)
    private mutating func input(_ step: RelabelStep) -> UnsafeRawBufferPointer {
        if step.sources.count == 1 { return value(step.sources[0]) }
        if step.sources.isEmpty { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return joinedInput(step)
    }

    private mutating func joinedInput(_ step: RelabelStep) -> UnsafeRawBufferPointer {
        var count = step.separator.count &* (step.sources.count &- 1)
        for slot in step.sources { count = count &+ value(slot).count }
        let place = arena.allocate(count)
        var end = 0
        for index in step.sources.indices {
            if index > 0 { end &+= (place + end).copyShort(step.separator) }
            end &+= (place + end).copyShort(value(step.sources[index]))
        }
        return UnsafeRawBufferPointer(start: place, count: count)
    }

    // MARK: replace, hashmod

    private mutating func replace(_ step: RelabelStep, _ relabeling: CompiledRelabeling) {
        let input = input(step)
        if step.groupCount == 0 {
            guard step.matcher.matches(input) else { return }
        } else {
            guard step.matcher.match(input, groups: groups, groupCount: step.groupCount) else { return }
        }
        var target = step.target
        if target < 0 {
            let name = expand(step.targetTemplate, input)
            guard relabeling.scheme.isValidLabelName(name) else { return }
            target = slot(ofName: name)
        }
        set(target, expand(step.replacement, input))
    }

    private mutating func hashMod(_ step: RelabelStep) -> UnsafeRawBufferPointer {
        // One shard is what the operator writes for an unsharded Prometheus: no digest needed to know the remainder.
        var remainder = step.modulus == 1 ? 0 : MD5.lowerHalf(of: input(step)) % step.modulus
        let digitsMax = 20
        let place = arena.allocate(digitsMax)
        var start = digitsMax
        repeat {
            start &-= 1
            place.storeBytes(of: UInt8(ascii: "0") &+ UInt8(remainder % 10), toByteOffset: start, as: UInt8.self)
            remainder /= 10
        } while remainder > 0
        return UnsafeRawBufferPointer(start: place + start, count: digitsMax &- start)
    }

    // MARK: Templates

    /// The template with the groups of the last match on `input` in it. Copies only where there are several parts.
    private mutating func expand(
        _ template: UnsafeBufferPointer<TemplatePart>, _ input: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        if template.isEmpty { return UnsafeRawBufferPointer(start: nil, count: 0) }
        if template.count == 1 { return text(of: template[0], input) }
        var count = 0
        for part in template { count = count &+ text(of: part, input).count }
        let place = arena.allocate(count)
        var end = 0
        for part in template { end &+= (place + end).copyShort(text(of: part, input)) }
        return UnsafeRawBufferPointer(start: place, count: count)
    }

    @inline(__always)
    private func text(of part: TemplatePart, _ input: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        switch part {
        case .literal(let text): return text
        case .group(let group): return text(ofGroup: group, input)
        case .firstParticipating(let candidates):
            for group in candidates where groups[Int(group)].start >= 0 { return text(ofGroup: group, input) }
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
    }

    @inline(__always)
    private func text(ofGroup group: Int32, _ input: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let span = groups[Int(group)]
        guard span.start >= 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: input[Int(span.start)..<Int(span.end)])
    }

    // MARK: Rules about names

    /// Over the labels as they are now: what is set here is not visited.
    private mutating func mapNames(_ step: RelabelStep) {
        pending.removeAll(keepingCapacity: true)
        for index in baseSlots.indices {
            let slot = baseSlots[index]
            guard !isTouched(slot), !value(slot).isEmpty else { continue }
            let target = nameResult(step, slot)
            if target >= 0 { pending.append(Added(slot: target, value: value(slot))) }
        }
        for index in added.indices where added[index].slot >= 0 {
            let target = nameResult(step, added[index].slot)
            if target >= 0 { pending.append(Added(slot: target, value: added[index].value)) }
        }
        for index in pending.indices { set(pending[index].slot, pending[index].value) }
    }

    private mutating func deleteNames(_ step: RelabelStep, matching: Bool) {
        for index in baseSlots.indices {
            let slot = baseSlots[index]
            if !isTouched(slot), (nameResult(step, slot) >= 0) == matching { delete(slot) }
        }
        for index in added.indices where added[index].slot >= 0 {
            let slot = added[index].slot
            if (nameResult(step, slot) >= 0) == matching { delete(slot) }
        }
    }

    /// What the rule says of the name, matched once for as long as the rules stay bound.
    @inline(__always)
    private mutating func nameResult(_ step: RelabelStep, _ slot: Int32) -> Int32 {
        let index = Int(slot) &* nameRuleCount &+ Int(step.nameRule)
        let known = nameResults[index]
        if known != NameResult.unknown { return known }
        let result = matchName(step, slot)
        nameResults[index] = result
        return result
    }

    private mutating func matchName(_ step: RelabelStep, _ slot: Int32) -> Int32 {
        let name = names.names[Int(slot)].bytes
        guard step.matcher.matches(name) else { return NameResult.noMatch }
        guard step.action == .labelMap else { return 0 }
        // The result is kept for more than this target, but the arena's bytes are copied when the slot is made.
        return self.slot(ofName: replaceAll(in: name, step))
    }

    /// Every match replaced, as Go's ReplaceAllString does. An anchored expression has one match, the whole name; one
    /// that escapes its anchors by unbalanced parentheses may match a part.
    private mutating func replaceAll(in name: UnsafeRawBufferPointer, _ step: RelabelStep) -> UnsafeRawBufferPointer {
        var result: [UInt8] = []
        var copied = 0
        var search = 0
        while search <= name.count,
            step.matcher.match(name, from: search, groups: groups, groupCount: max(1, step.groupCount))
        {
            let match = Int(groups[0].start)..<Int(groups[0].end)
            result.append(contentsOf: name[copied..<match.lowerBound])
            // An empty match directly behind the one before is none.
            if match.upperBound > copied || match.lowerBound == 0 {
                result.append(contentsOf: expand(step.replacement, name))
            }
            copied = match.upperBound
            search = max(match.upperBound, search + Self.characterBytes(name, at: search))
        }
        result.append(contentsOf: name[copied...])
        return result.withUnsafeBytes { arena.copy($0) }
    }

    /// Bytes of the character at `offset`; 1 at the end.
    private static func characterBytes(_ text: UnsafeRawBufferPointer, at offset: Int) -> Int {
        var end = offset + 1
        while end < text.count, text[end] & 0xC0 == 0x80 { end += 1 }
        return end - offset
    }
}

extension RelabelScratch {
    /// Makes `labels` the base, for a single run.
    package mutating func load(_ labels: LabelSet, in table: LabelTable) {
        plan.forget()
        beginBase()
        for id in labels.ids { _ = addToBase(id, in: table) }
        beginTarget()
    }
}

extension CompiledRelabeling {
    /// Runs the rules on one label set. The result stands in `scratch` until that is used again: see
    /// ``RelabelScratch/labels(over:in:)``.
    ///
    /// - Returns: The index of the rule that dropped the target; nil when it was kept.
    package func run(on labels: LabelSet, scratch: inout RelabelScratch) -> Int? {
        scratch.bind(self)
        scratch.load(labels, in: table)
        return scratch.run(self)
    }
}
