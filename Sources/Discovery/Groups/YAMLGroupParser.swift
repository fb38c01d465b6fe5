//
// YAMLGroupParser.swift: a list of target groups in YAML.
//
// The dialect is Prometheus' (spec/prometheus-scrape-config.md 2, spec/prometheus-sd.md 6): unquoted scalars keep their
// source text, null is empty, unknown and repeated keys are refused, an empty document has no groups, and a second
// document is ignored.
//

import AllocationCore
import Yams

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
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw GroupSyntaxError("the document is not UTF-8")
        }
        let root: Node?
        do {
            root = try Parser(yaml: text).nextRoot()
        } catch let error as YamlError {
            throw GroupSyntaxError("\(error)".split(separator: "\n").joined(separator: " "))
        } catch {
            throw GroupSyntaxError("\(error)")
        }
        guard let root, !isNull(root) else { return [] }
        guard case .sequence(let items) = root else {
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

    private static func group(_ node: Node) throws(GroupSyntaxError) -> Group {
        if isNull(node) { throw fault("nil target group item found", node) }
        guard case .mapping(let members) = node else {
            throw fault("a target group is expected, not \(kind(node))", node)
        }
        var group = Group()
        for (name, value) in try merged(members) {
            switch name {
            case "targets":
                if isNull(value) { continue }
                guard case .sequence(let items) = value else {
                    throw fault("targets must be a list of strings, not \(kind(value))", value)
                }
                for item in items { group.targets.append(try text(item, of: "a target")) }
            case "labels":
                if isNull(value) { continue }
                guard case .mapping(let labels) = value else {
                    throw fault("labels must be a mapping of strings, not \(kind(value))", value)
                }
                for (name, value) in try merged(labels) {
                    guard !name.isEmpty else { throw fault("\"\" is not a valid label name", value) }
                    group.labels.append((name, try text(value, of: "a label value")))
                }
            default: throw fault("unknown key \"\(name)\" in a target group", value)
            }
        }
        return group
    }

    /// A mapping's members with `<<` resolved: what is written in the mapping itself counts.
    private static func merged(_ mapping: Node.Mapping) throws(GroupSyntaxError) -> [(name: String, value: Node)] {
        var own: [(name: String, value: Node)] = []
        var inherited: [(name: String, value: Node)] = []
        for (key, value) in mapping {
            guard case .scalar(let name) = key else { throw fault("a key must be a scalar", key) }
            guard name.string == "<<", name.style == .plain else {
                own.append((isNull(key) ? "" : name.string, value))
                continue
            }
            switch value {
            case .mapping(let merge): inherited += try merged(merge)
            case .sequence(let merges):
                // Of several the first that has a key gives it, so the later ones come first here.
                for merge in merges.reversed() {
                    guard case .mapping(let merge) = merge else { throw fault("only mappings can be merged", value) }
                    inherited += try merged(merge)
                }
            default: throw fault("only mappings can be merged", value)
            }
        }
        guard !inherited.isEmpty else { return own }
        let names = Set(own.map(\.name))
        var last: [String: Node] = [:]
        for (name, value) in inherited where !names.contains(name) { last[name] = value }
        return last.map { ($0.key, $0.value) } + own
    }

    private static func text(_ node: Node, of what: String) throws(GroupSyntaxError) -> String {
        guard case .scalar(let scalar) = node else { throw fault("\(what) must be a scalar, not \(kind(node))", node) }
        return isNull(node) ? "" : scalar.string
    }

    private static func isNull(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private static func kind(_ node: Node) -> String {
        switch node {
        case .scalar: "a scalar"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }

    private static func fault(_ message: String, _ node: Node) -> GroupSyntaxError {
        GroupSyntaxError(message, line: node.mark?.line)
    }
}
