//
// JSONGroupParser.swift: a list of target groups in JSON.
//
// Strict as Prometheus is (spec/prometheus-sd.md 6): unknown members and values of the wrong kind are refused, member
// names match in any case, of a repeated member the last counts, null stands for an empty list, and nothing may follow.
//

import AllocationCore

/// Reads one JSON document in two passes: where its groups are, then the new ones among them.
struct JSONGroupParser: ~Copyable {
    /// Where a group's object lies.
    typealias Span = Range<Int>

    /// Groups that are interned under one hold of the table's lock.
    private static let groupsPerHold = 256

    private var scanner: JSONScanner

    init(_ bytes: UnsafeRawBufferPointer) { scanner = JSONScanner(bytes) }

    // MARK: First pass

    /// Finds the groups and gives each to the alignment; returns where those lie that it did not recognise in passing.
    mutating func scan(_ alignment: inout SlotAlignment) throws(GroupSyntaxFault) -> ContiguousArray<Span> {
        var spans: ContiguousArray<Span> = []
        scanner.skipWhitespace()
        guard !scanner.isAtEnd else {
            throw scanner.fault("the document is empty; a list of target groups is expected")
        }
        if scanner.take(literal: "null") {
            try expectEnd()
            return spans
        }
        guard scanner.take(UInt8(ascii: "[")) else {
            throw scanner.fault("a list of target groups is expected, not \(scanner.whatIsHere())")
        }
        if !scanner.take(UInt8(ascii: "]")) {
            repeat {
                if let span = try scanGroup(&alignment) { spans.append(span) }
            } while scanner.take(UInt8(ascii: ","))
            guard scanner.take(UInt8(ascii: "]")) else {
                throw scanner.fault("“,” or “]” is expected after a target group, not \(scanner.whatIsHere())")
            }
        }
        try expectEnd()
        return spans
    }

    private mutating func scanGroup(_ alignment: inout SlotAlignment) throws(GroupSyntaxFault) -> Span? {
        guard scanner.peek() == UInt8(ascii: "{") else {
            if scanner.take(literal: "null") { throw scanner.fault("nil target group item found") }
            throw scanner.fault("a target group is expected, not \(scanner.whatIsHere())")
        }
        let start = scanner.offset
        for isShifted in [false, true] {
            guard let mark = alignment.expectation(isShifted: isShifted) else { continue }
            let end = start + Int(mark.length)
            guard end <= scanner.bytes.count, hash(start..<end) == mark.hash else { continue }
            alignment.keepExpected(isShifted: isShifted)
            scanner.offset = end
            return nil
        }
        try scanner.skipNested()
        let span = start..<scanner.offset
        guard span.count < UInt32.max else { throw scanner.fault("a target group of \(span.count) bytes", at: start) }
        let mark = DocumentIndex.Mark(hash: hash(span), length: UInt32(span.count))
        if alignment.keepNear(mark) { return nil }
        alignment.add(mark)
        return span
    }

    private func hash(_ span: Span) -> UInt64 {
        XXH64.hash(UnsafeRawBufferPointer(rebasing: scanner.bytes[span]), seed: DocumentIndex.seed)
    }

    private mutating func expectEnd() throws(GroupSyntaxFault) {
        scanner.skipWhitespace()
        guard scanner.isAtEnd else {
            throw scanner.fault("nothing may follow the list of target groups, but here is \(scanner.whatIsHere())")
        }
    }

    // MARK: Second pass

    /// Reads the groups that are new and packs them in order.
    mutating func parse(
        _ spans: ContiguousArray<Span>, _ added: ContiguousArray<(slot: UInt32, isNew: Bool)>,
        _ builder: inout GroupBuilder, into groups: inout PackedGroups, table: LabelTable
    ) throws(GroupSyntaxFault) {
        var next = 0
        var position = 0
        while next < spans.count {
            let end = min(next + Self.groupsPerHold, spans.count)
            // `intern` rethrows untyped, so the fault comes out as a value.
            let fault = table.intern { interner -> GroupSyntaxFault? in
                do throws(GroupSyntaxFault) {
                    for place in next..<end where added[place].isNew {
                        try parseGroup(spans[place], &interner, &builder)
                        builder.withRun { _ = groups.set(position, $0) }
                        position += 1
                    }
                    return nil
                } catch {
                    return error
                }
            }
            if let fault { throw fault }
            next = end
        }
    }

    private mutating func parseGroup(
        _ span: Span, _ interner: inout LabelInterner, _ builder: inout GroupBuilder
    ) throws(GroupSyntaxFault) {
        builder.begin()
        scanner.offset = span.lowerBound + 1
        if !scanner.take(UInt8(ascii: "}")) {
            repeat {
                let member = try readMember()
                switch member {
                case .targets: try parseTargets(&interner, &builder)
                case .labels: try parseLabels(&interner, &builder)
                }
            } while scanner.take(UInt8(ascii: ","))
            guard scanner.take(UInt8(ascii: "}")) else {
                throw scanner.fault("“,” or “}” is expected in a target group, not \(scanner.whatIsHere())")
            }
        }
        guard scanner.offset == span.upperBound else {
            throw scanner.fault("brackets that do not match", at: span.lowerBound)
        }
    }

    private enum Member { case targets, labels }

    private mutating func readMember() throws(GroupSyntaxFault) -> Member {
        guard scanner.peek() == UInt8(ascii: "\"") else {
            throw scanner.fault("a member name is expected, not \(scanner.whatIsHere())")
        }
        let start = scanner.offset
        let member = try scanner.readString { (name) throws(GroupSyntaxFault) -> Member in
            if name.elementsEqual("targets".utf8) { return .targets }
            if name.elementsEqual("labels".utf8) { return .labels }
            // Go folds the long s, too.
            let text = String(decoding: name, as: UTF8.self)
            switch text.lowercased().replacing("\u{17F}", with: "s") {
            case "targets": return .targets
            case "labels": return .labels
            default:
                throw GroupSyntaxFault(message: "unknown member \"\(text)\" in a target group", offset: start)
            }
        }
        try expectColon()
        return member
    }

    private mutating func expectColon() throws(GroupSyntaxFault) {
        guard scanner.take(UInt8(ascii: ":")) else {
            throw scanner.fault("“:” is expected, not \(scanner.whatIsHere())")
        }
    }

    private mutating func parseTargets(
        _ interner: inout LabelInterner, _ builder: inout GroupBuilder
    ) throws(GroupSyntaxFault) {
        builder.forgetTargets()
        if scanner.peek() == UInt8(ascii: "n"), scanner.take(literal: "null") { return }
        guard scanner.take(UInt8(ascii: "[")) else {
            throw scanner.fault("targets must be a list of strings, not \(scanner.whatIsHere())")
        }
        if scanner.take(UInt8(ascii: "]")) { return }
        repeat {
            try parseText(of: "a target") { builder.addTarget(&interner, $0) }
        } while scanner.take(UInt8(ascii: ","))
        guard scanner.take(UInt8(ascii: "]")) else {
            throw scanner.fault("“,” or “]” is expected after a target, not \(scanner.whatIsHere())")
        }
    }

    private mutating func parseLabels(
        _ interner: inout LabelInterner, _ builder: inout GroupBuilder
    ) throws(GroupSyntaxFault) {
        builder.forgetLabels()
        if scanner.peek() == UInt8(ascii: "n"), scanner.take(literal: "null") { return }
        guard scanner.take(UInt8(ascii: "{")) else {
            throw scanner.fault("labels must be an object of strings, not \(scanner.whatIsHere())")
        }
        if scanner.take(UInt8(ascii: "}")) { return }
        repeat {
            guard scanner.peek() == UInt8(ascii: "\"") else {
                throw scanner.fault("a label name is expected, not \(scanner.whatIsHere())")
            }
            let start = scanner.offset
            let name = try scanner.readString { (name) throws(GroupSyntaxFault) -> LabelNameID in
                guard !name.isEmpty else {
                    throw GroupSyntaxFault(message: "\"\" is not a valid label name", offset: start)
                }
                return interner.nameID(name)
            }
            try expectColon()
            try parseText(of: "a label value") { builder.addLabel(&interner, name, value: $0) }
        } while scanner.take(UInt8(ascii: ","))
        guard scanner.take(UInt8(ascii: "}")) else {
            throw scanner.fault("“,” or “}” is expected after a label, not \(scanner.whatIsHere())")
        }
    }

    /// A string, or null for the empty one.
    @inline(__always)
    private mutating func parseText(
        of what: StaticString, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(GroupSyntaxFault) {
        switch scanner.peek() {
        case UInt8(ascii: "\""):
            try scanner.readString { (text) throws(GroupSyntaxFault) -> Void in body(text) }
        case UInt8(ascii: "n") where scanner.take(literal: "null"): body(UnsafeRawBufferPointer(start: nil, count: 0))
        default: throw scanner.fault("\(what) must be a string, not \(scanner.whatIsHere())")
        }
    }
}
