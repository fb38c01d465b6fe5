//
// YAMLGroupParser.swift: a list of target groups in YAML.
//
// The dialect is Prometheus' (spec/prometheus-scrape-config.md 2, spec/prometheus-sd.md 6): unquoted scalars keep their
// source text, null is empty, unknown and repeated keys are refused, an empty document has no groups, and a second
// document is ignored.
//

import AllocationCore
import PrometheusConfig

/// Reads a whole YAML document; which of its groups are new shows by their packed labels.
enum YAMLGroupParser {
    /// One group's texts.
    struct Group: Equatable {
        var targets: [String] = []
        var labels: [(name: String, value: String)] = []

        static func == (a: Group, b: Group) -> Bool {
            a.targets == b.targets && a.labels.elementsEqual(b.labels) { $0 == $1 }
        }
    }

    static func groups(_ bytes: UnsafeRawBufferPointer) throws(GroupSyntaxError) -> [Group] {
        let root: YAMLNode
        do throws(ConfigurationError) {
            root = try YAMLNode(parsing: bytes.bindMemory(to: UInt8.self), file: "")
        } catch {
            throw GroupSyntaxError(error.problem, line: error.location.mark?.line, column: error.location.mark?.column)
        }
        guard !root.isNull else { return [] }
        guard let items = root.sequence else {
            throw fault("a list of target groups is expected, not \(kind(root))", root)
        }
        var groups: [Group] = []
        groups.reserveCapacity(items.count)
        for item in items { groups.append(try group(item)) }
        return groups
    }

    /// Packs the groups and compares them with the last reading's.
    static func align(
        _ groups: [Group], _ alignment: consuming SlotAlignment, _ builder: inout GroupBuilder,
        into found: inout PackedGroups, table: LabelTable
    ) -> SlotAlignment.Outcome {
        var packed = PackedGroups()
        var added: [Int] = []
        for (place, group) in groups.enumerated() {
            table.intern { interner in pack(group, &interner, &builder) }
            builder.withRun { run in
                let bytes = UnsafeRawBufferPointer(run)
                let mark = DocumentIndex.Mark(
                    hash: XXH64.hash(bytes, seed: DocumentIndex.seed), length: UInt32(bytes.count))
                guard !alignment.keepNear(mark) else { return }
                alignment.add(mark)
                packed.set(place, run)
                added.append(place)
            }
        }
        let outcome = alignment.finish()
        var position = 0
        for (index, place) in added.enumerated() where outcome.added[index].isNew {
            packed.withRun(place) { _ = found.set(position, $0) }
            position += 1
        }
        return outcome
    }

    private static func pack(_ group: Group, _ interner: inout LabelInterner, _ builder: inout GroupBuilder) {
        builder.begin()
        for (name, value) in group.labels {
            var (name, value) = (name, value)
            let nameID = name.withUTF8 { interner.nameID(UnsafeRawBufferPointer($0)) }
            value.withUTF8 { builder.addLabel(&interner, nameID, value: UnsafeRawBufferPointer($0)) }
        }
        for target in group.targets {
            var target = target
            target.withUTF8 { builder.addTarget(&interner, UnsafeRawBufferPointer($0)) }
        }
    }

    // MARK: Nodes

    private static func group(_ node: YAMLNode) throws(GroupSyntaxError) -> Group {
        if node.isNull { throw fault("nil target group item found", node) }
        guard let members = node.mapping else { throw fault("a target group is expected, not \(kind(node))", node) }
        try refuseRepeats(members)
        var group = Group()
        for member in members.members {
            let value = member.value
            switch member.key.text {
            case "targets":
                if value.isNull { continue }
                guard let items = value.sequence else {
                    throw fault("targets must be a list of strings, not \(kind(value))", value)
                }
                for item in items { group.targets.append(try text(item, of: "a target")) }
            case "labels":
                if value.isNull { continue }
                guard let labels = value.mapping else {
                    throw fault("labels must be a mapping of strings, not \(kind(value))", value)
                }
                try refuseRepeats(labels)
                for label in labels.members {
                    let name = label.key.isNull ? "" : label.key.text
                    guard !name.isEmpty else { throw fault("\"\" is not a valid label name", at: label.keyMark) }
                    group.labels.append((name, try text(label.value, of: "a label value")))
                }
            default: throw fault("unknown key \"\(member.key.text)\" in a target group", at: member.keyMark)
            }
        }
        return group
    }

    private static func refuseRepeats(_ mapping: YAMLMapping) throws(GroupSyntaxError) {
        guard let repeated = mapping.repeats.first else { return }
        throw fault("key \"\(repeated.key)\" is set twice", at: repeated.mark)
    }

    private static func text(_ node: YAMLNode, of what: String) throws(GroupSyntaxError) -> String {
        guard let scalar = node.scalar else { throw fault("\(what) must be a scalar, not \(kind(node))", node) }
        return scalar.isNull ? "" : scalar.text
    }

    private static func kind(_ node: YAMLNode) -> String {
        switch node.content {
        case .scalar: "a scalar"
        case .mapping: "a mapping"
        case .sequence: "a list"
        }
    }

    private static func fault(_ message: String, _ node: YAMLNode) -> GroupSyntaxError {
        fault(message, at: node.mark)
    }

    private static func fault(_ message: String, at mark: YAMLMark) -> GroupSyntaxError {
        GroupSyntaxError(message, line: mark.line, column: mark.column)
    }
}
