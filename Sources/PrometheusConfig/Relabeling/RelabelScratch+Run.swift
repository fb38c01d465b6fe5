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
        guard let steps = relabeling.steps.baseAddress else { return nil }
        for index in 0..<relabeling.steps.count where !run(steps + index, relabeling) { return index }
        return nil
    }

    /// False: the target is dropped.
    @inline(__always)
    private mutating func run(_ step: UnsafePointer<RelabelStep>, _ relabeling: CompiledRelabeling) -> Bool {
        switch step.pointee.action {
        case .keep: return matches(step)
        case .drop: return !matches(step)
        case .keepEqual: return RegexMatcher.equal(input(step), value(step.pointee.target))
        case .dropEqual: return !RegexMatcher.equal(input(step), value(step.pointee.target))
        case .replace: replace(step, relabeling)
        case .copy: set(step.pointee.target, input(step))
        case .assign:
            set(step.pointee.target, expand(step.pointee.replacement, UnsafeRawBufferPointer(start: nil, count: 0)))
        case .hashMod: set(step.pointee.target, hashMod(step))
        case .lowercase: set(step.pointee.target, SimpleCaseMapping.lower.map(input(step), in: &arena))
        case .uppercase: set(step.pointee.target, SimpleCaseMapping.upper.map(input(step), in: &arena))
        case .labelMap: mapNames(step)
        case .labelDrop: deleteNames(step, matching: true)
        case .labelKeep: deleteNames(step, matching: false)
        case .delete: for slot in step.pointee.sources { delete(slot) }
        }
        return true
    }

    @inline(__always)
    private mutating func matches(_ step: UnsafePointer<RelabelStep>) -> Bool {
        let input = input(step)
        if step.pointee.memo < 0 { return step.pointee.matcher.matches(input) }
        return matchesRemembering(step, input)
    }

    private mutating func matchesRemembering(
        _ step: UnsafePointer<RelabelStep>, _ input: UnsafeRawBufferPointer
    ) -> Bool {
        guard input.count <= MatchMemo.bytesMax else { return step.pointee.matcher.matches(input) }
        let index = Int(step.pointee.memo)
        if memos[index].count == input.count {
            let isSame = withUnsafeBytes(of: memos[index].bytes) { known in
                RegexMatcher.equal(UnsafeRawBufferPointer(rebasing: known[..<input.count]), input)
            }
            if isSame { return memos[index].isMatch }
        }
        let isMatch = step.pointee.matcher.matches(input)
        memos[index].count = input.count
        memos[index].isMatch = isMatch
        withUnsafeMutableBytes(of: &memos[index].bytes) { $0.copyMemory(from: input) }
        return isMatch
    }

    /// The source labels' values, joined; an absent one is empty.
    @inline(__always)
    private mutating func input(_ step: UnsafePointer<RelabelStep>) -> UnsafeRawBufferPointer {
        if step.pointee.sources.count == 1 { return value(step.pointee.sources[0]) }
        if step.pointee.sources.isEmpty { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return joinedInput(step)
    }

    private mutating func joinedInput(_ step: UnsafePointer<RelabelStep>) -> UnsafeRawBufferPointer {
        if step.pointee.sources.count == 2 {
            return joined(value(step.pointee.sources[0]), step.pointee.separator, value(step.pointee.sources[1]))
        }
        var count = step.pointee.separator.count &* (step.pointee.sources.count &- 1)
        for slot in step.pointee.sources { count = count &+ value(slot).count }
        let place = arena.allocate(count)
        var end = 0
        for index in step.pointee.sources.indices {
            if index > 0 { end &+= (place + end).copyShort(step.pointee.separator) }
            end &+= (place + end).copyShort(value(step.pointee.sources[index]))
        }
        return UnsafeRawBufferPointer(start: place, count: count)
    }

    @inline(__always)
    private mutating func joined(
        _ first: UnsafeRawBufferPointer, _ separator: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        let count = first.count &+ separator.count &+ second.count
        let place = arena.allocate(count)
        var end = place.copyShort(first)
        end &+= (place + end).copyShort(separator)
        end &+= (place + end).copyShort(second)
        return UnsafeRawBufferPointer(start: place, count: count)
    }

    // MARK: replace, hashmod

    private mutating func replace(_ step: UnsafePointer<RelabelStep>, _ relabeling: CompiledRelabeling) {
        let input = input(step)
        if step.pointee.groupCount == 0 {
            guard step.pointee.matcher.matches(input) else { return }
        } else {
            guard step.pointee.matcher.match(input, groups: groups, groupCount: step.pointee.groupCount) else { return }
        }
        var target = step.pointee.target
        if target < 0 {
            let name = expand(step.pointee.targetTemplate, input)
            guard relabeling.scheme.isValidLabelName(name) else { return }
            target = slot(ofName: name)
        }
        set(target, expand(step.pointee.replacement, input))
    }

    private mutating func hashMod(_ step: UnsafePointer<RelabelStep>) -> UnsafeRawBufferPointer {
        // One shard is what the operator writes for an unsharded Prometheus: no digest needed to know the remainder.
        var remainder = step.pointee.modulus == 1 ? 0 : MD5.lowerHalf(of: input(step)) % step.pointee.modulus
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
    private mutating func mapNames(_ step: UnsafePointer<RelabelStep>) {
        pending.removeAll()
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

    private mutating func deleteNames(_ step: UnsafePointer<RelabelStep>, matching: Bool) {
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
    private mutating func nameResult(_ step: UnsafePointer<RelabelStep>, _ slot: Int32) -> Int32 {
        let index = Int(slot) &* nameRuleCount &+ Int(step.pointee.nameRule)
        let known = nameResults[index]
        if known != NameResult.unknown { return known }
        let result = matchName(step, slot)
        nameResults[index] = result
        return result
    }

    private mutating func matchName(_ step: UnsafePointer<RelabelStep>, _ slot: Int32) -> Int32 {
        let name = names.names[Int(slot)].bytes
        guard step.pointee.matcher.matches(name) else { return NameResult.noMatch }
        guard step.pointee.action == .labelMap else { return 0 }
        // The result is kept for more than this target, but the arena's bytes are copied when the slot is made.
        return self.slot(ofName: replaceAll(in: name, step))
    }

    /// Every match replaced, as Go's ReplaceAllString does. An anchored expression has one match, the whole name; one
    /// that escapes its anchors by unbalanced parentheses may match a part.
    private mutating func replaceAll(in name: UnsafeRawBufferPointer, _ step: UnsafePointer<RelabelStep>)
        -> UnsafeRawBufferPointer
    {
        var result: [UInt8] = []
        var copied = 0
        var search = 0
        while search <= name.count,
            step.pointee.matcher.match(name, from: search, groups: groups, groupCount: max(1, step.pointee.groupCount))
        {
            let match = Int(groups[0].start)..<Int(groups[0].end)
            result.append(contentsOf: name[copied..<match.lowerBound])
            // An empty match directly behind the one before is none.
            if match.upperBound > copied || match.lowerBound == 0 {
                result.append(contentsOf: expand(step.pointee.replacement, name))
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
