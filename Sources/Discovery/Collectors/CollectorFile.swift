//
// CollectorFile.swift: reads a file of collectors.
//
// One name a line, `#` begins a comment; or, with the extension of YAML or JSON, a list of names or of `{name, node}`.
//

import AllocationCore
import PrometheusConfig

enum CollectorFile {
    /// A name and a node are a hundred bytes.
    static let bytesMax = 16 << 20

    /// Blocks while it reads.
    static func read(_ path: String) throws(CollectorSourceError) -> [Collector] {
        let text: String?
        do throws(FileDiscoveryError) {
            text = try FileStatus.withBytes(of: path, bytesMax: bytesMax) { (bytes) throws(FileDiscoveryError) in
                String(validating: bytes, as: UTF8.self)
            }.0
        } catch {
            throw CollectorSourceError(error.detail)
        }
        guard let text else { throw CollectorSourceError("not UTF-8") }
        let lowered = path.lowercased()
        let isTree = [".json", ".yml", ".yaml"].contains { lowered.hasSuffix($0) }
        return try unique(isTree ? tree(text) : lines(text))
    }

    static func lines(_ text: String) throws(CollectorSourceError) -> [Collector] {
        var collectors: [Collector] = []
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard let name = words.first else { continue }
            guard words.count == 1 else {
                throw CollectorSourceError("line \(number + 1): one name a line, and no white space in a name")
            }
            collectors.append(Collector(name: String(name)))
        }
        return collectors
    }

    static func tree(_ text: String) throws(CollectorSourceError) -> [Collector] {
        let root: YAMLNode
        do throws(ConfigurationError) {
            root = try YAMLNode(parsing: text, file: "")
        } catch {
            throw fault(error.problem, error.location.mark)
        }
        if root.isNull { return [] }
        guard let items = root.sequence else { throw fault("a list of collectors is expected", root.mark) }
        var collectors: [Collector] = []
        for item in items { collectors.append(try collector(item)) }
        return collectors
    }

    private static func collector(_ node: YAMLNode) throws(CollectorSourceError) -> Collector {
        if node.scalar != nil { return Collector(name: try name(node, "a collector")) }
        guard let members = node.mapping else { throw fault("a name or {name, node} is expected", node.mark) }
        if let repeated = members.repeats.first { throw fault("\(repeated.key) is set twice", repeated.mark) }
        var found: String?
        var nodeName: String?
        for member in members.members {
            switch member.key.text {
            case "name": found = try name(member.value, "name")
            case "node": nodeName = member.value.isNull ? nil : try name(member.value, "node")
            default:
                throw fault("unknown key \"\(member.key.text)\"; a collector has name and node", member.keyMark)
            }
        }
        guard let found else { throw fault("a collector without a name", node.mark) }
        return Collector(name: found, nodeName: nodeName)
    }

    private static func name(_ node: YAMLNode, _ what: String) throws(CollectorSourceError) -> String {
        guard let scalar = node.scalar, !scalar.isNull, !scalar.text.isEmpty else {
            throw fault("\(what) must be a name", node.mark)
        }
        guard !scalar.text.contains(where: { $0.isWhitespace || $0.isNewline }) else {
            throw fault("no white space in a name", node.mark)
        }
        return scalar.text
    }

    private static func unique(_ collectors: [Collector]) throws(CollectorSourceError) -> [Collector] {
        var nodes: [String: String?] = [:]
        var unique: [Collector] = []
        for collector in collectors {
            if let known = nodes[collector.name] {
                guard known == collector.nodeName else {
                    throw CollectorSourceError("\(collector.name) is listed twice with different nodes")
                }
                continue
            }
            nodes[collector.name] = .some(collector.nodeName)
            unique.append(collector)
        }
        return unique
    }

    private static func fault(_ text: String, _ mark: YAMLMark?) -> CollectorSourceError {
        CollectorSourceError(mark.map { "line \($0.line): \(text)" } ?? text)
    }
}
