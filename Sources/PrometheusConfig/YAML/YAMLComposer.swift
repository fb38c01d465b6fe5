//
// YAMLComposer.swift: builds the tree from libyaml's events, within limits.
//
// Yams' own tree is not used: it refuses repeated keys, of which the last must win, and resolves tags by regular
// expressions. libyaml is the parser of which Prometheus' YAML library is a port, so both agree on what a text says.
// A few hundred bytes of aliases can describe a tree of billions of nodes, hence the limits.
//

import CYaml

struct YAMLComposer {
    /// Nesting that no configuration needs; readers may recurse that deep.
    private static let depthMax = 100
    /// How many nodes aliases may add in total. 8,000 jobs may share one list of 100 rules five times over.
    private static let aliasedNodesMax = 4_000_000

    /// A value with what a later alias of it must account for.
    private struct Composed {
        var node: YAMLNode
        var height = 1
        var count = 1
    }

    /// A sequence or mapping whose end has not been seen.
    private struct Frame {
        var mark: YAMLMark
        var isMapping: Bool
        var anchor: String?
        var items: [YAMLNode] = []
        var members: [YAMLMapping.Member] = []
        var key: (scalar: YAMLScalar, mark: YAMLMark)?
        var height = 1
        var count = 1
    }

    private let file: String
    private var frames: [Frame] = []
    private var anchors: [String: Composed] = [:]
    private var aliasedNodes = 0
    private var root: YAMLNode?

    static func compose(
        _ bytes: UnsafeBufferPointer<UInt8>, file: String
    ) throws(ConfigurationError) -> YAMLNode {
        // On the heap because libyaml keeps a pointer to the parser inside itself.
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else {
            throw ConfigurationError(file: file, kind: .syntax, problem: "no memory to read it")
        }
        defer { yaml_parser_delete(parser) }
        var nothing: UInt8 = 0
        return try withUnsafePointer(to: &nothing) { (empty) throws(ConfigurationError) in
            yaml_parser_set_input_string(parser, bytes.baseAddress ?? empty, bytes.count)
            var composer = YAMLComposer(file: file)
            return try composer.run(parser, bytes)
        }
    }

    private init(file: String) { self.file = file }

    private mutating func run(
        _ parser: UnsafeMutablePointer<yaml_parser_t>, _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(ConfigurationError) -> YAMLNode {
        while true {
            var event = yaml_event_t()
            guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError(parser.pointee, bytes) }
            defer { yaml_event_delete(&event) }
            switch event.type {
            case YAML_STREAM_END_EVENT, YAML_DOCUMENT_END_EVENT:
                return root ?? YAMLNode(.scalar(YAMLScalar(text: "")), mark: YAMLMark(line: 1, column: 1))
            case YAML_SCALAR_EVENT: try scalar(event)
            case YAML_ALIAS_EVENT: try alias(event)
            case YAML_SEQUENCE_START_EVENT:
                try begin(event, isMapping: false, anchor: Self.text(event.data.sequence_start.anchor))
            case YAML_MAPPING_START_EVENT:
                try begin(event, isMapping: true, anchor: Self.text(event.data.mapping_start.anchor))
            case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: try end()
            default: continue
            }
        }
    }

    // MARK: Events

    private mutating func scalar(_ event: yaml_event_t) throws(ConfigurationError) {
        let mark = Self.mark(event.start_mark)
        let data = event.data.scalar
        let text = String(decoding: UnsafeBufferPointer(start: data.value, count: data.length), as: UTF8.self)
        let tag = try tag(Self.text(data.tag), at: mark)
        let scalar = YAMLScalar(text: text, isPlain: data.style == YAML_PLAIN_SCALAR_STYLE, tag: tag)
        let composed = Composed(node: YAMLNode(.scalar(scalar), mark: mark))
        if let anchor = Self.text(data.anchor) { anchors[anchor] = composed }
        try insert(composed)
    }

    private mutating func alias(_ event: yaml_event_t) throws(ConfigurationError) {
        let mark = Self.mark(event.start_mark)
        guard let anchor = Self.text(event.data.alias.anchor), let composed = anchors[anchor] else {
            // The name is left out: an unquoted password may begin with *.
            throw failure("an alias without its anchor; a text that begins with * must be quoted", at: mark)
        }
        aliasedNodes += composed.count
        guard aliasedNodes <= Self.aliasedNodesMax else {
            throw failure("aliases expand to more than \(Self.aliasedNodesMax) values", at: mark)
        }
        try insert(composed)
    }

    private mutating func begin(
        _ event: yaml_event_t, isMapping: Bool, anchor: String?
    ) throws(ConfigurationError) {
        let mark = Self.mark(event.start_mark)
        guard frames.count < Self.depthMax else { throw tooDeep(at: mark) }
        if let anchor { anchors[anchor] = nil }  // An alias inside its own anchor must not find an older one.
        frames.append(Frame(mark: mark, isMapping: isMapping, anchor: anchor))
    }

    private mutating func end() throws(ConfigurationError) {
        let frame = frames.removeLast()
        let content: YAMLNode.Content =
            frame.isMapping ? .mapping(try mapping(of: frame)) : .sequence(frame.items)
        let composed = Composed(
            node: YAMLNode(content, mark: frame.mark), height: frame.height, count: frame.count
        )
        if let anchor = frame.anchor { anchors[anchor] = composed }
        try insert(composed)
    }

    private mutating func insert(_ composed: Composed) throws(ConfigurationError) {
        guard !frames.isEmpty else {
            root = composed.node
            return
        }
        let top = frames.count - 1
        guard frames.count + composed.height <= Self.depthMax + 1 else { throw tooDeep(at: composed.node.mark) }
        frames[top].height = max(frames[top].height, composed.height + 1)
        frames[top].count += composed.count
        guard frames[top].isMapping else {
            frames[top].items.append(composed.node)
            return
        }
        if let key = frames[top].key {
            frames[top].key = nil
            frames[top].members.append(.init(key: key.scalar, keyMark: key.mark, value: composed.node))
        } else if let scalar = composed.node.scalar {
            frames[top].key = (scalar, composed.node.mark)
        } else {
            throw failure("a key must be a single text, not a list or a mapping", at: composed.node.mark)
        }
    }

    // MARK: Mappings

    private func mapping(of frame: Frame) throws(ConfigurationError) -> YAMLMapping {
        var mapping = YAMLMapping(members: frame.members, repeats: [])
        Self.removeRepeats(from: &mapping)
        guard let merge = mapping.members.firstIndex(where: { $0.key.isPlain && $0.key.text == "<<" }) else {
            return mapping
        }
        let member = mapping.members.remove(at: merge)
        var known = Set(mapping.members.map(\.key.text))
        for source in member.value.sequence ?? [member.value] {
            guard let merged = source.mapping else {
                throw failure("<< takes a mapping or a list of mappings", at: member.value.mark)
            }
            for member in merged.members where known.insert(member.key.text).inserted {
                mapping.members.append(member)
            }
        }
        return mapping
    }

    /// Keeps the last value of a key, at the place of the first.
    private static func removeRepeats(from mapping: inout YAMLMapping) {
        let members = mapping.members
        if members.count <= 12 {
            var isUnique = true
            for index in members.indices.dropFirst() where isUnique {
                let key = members[index].key.text
                isUnique = !members[..<index].contains { $0.key.text == key }
            }
            if isUnique { return }
        }
        var places: [String: Int] = [:]
        places.reserveCapacity(members.count)
        var unique: [YAMLMapping.Member] = []
        unique.reserveCapacity(members.count)
        for member in members {
            if let place = places[member.key.text] {
                unique[place] = member
                mapping.repeats.append(.init(key: member.key.text, mark: member.keyMark))
            } else {
                places[member.key.text] = unique.count
                unique.append(member)
            }
        }
        mapping.members = unique
    }

    // MARK: Errors and C values

    private func tag(_ name: String?, at mark: YAMLMark) throws(ConfigurationError) -> YAMLScalar.Tag? {
        switch name {
        case nil: nil
        case "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp": .string
        case "tag:yaml.org,2002:int": .integer
        case "tag:yaml.org,2002:float": .float
        case "tag:yaml.org,2002:bool": .bool
        case "tag:yaml.org,2002:null": .null
        // The name is left out: an unquoted password may begin with !.
        default: throw failure("a tag that is not supported; a text that begins with ! must be quoted", at: mark)
        }
    }

    private func tooDeep(at mark: YAMLMark) -> ConfigurationError {
        failure("nested more than \(Self.depthMax) levels deep", at: mark)
    }

    private func failure(_ problem: String, at mark: YAMLMark) -> ConfigurationError {
        ConfigurationError(file: file, mark: mark, kind: .syntax, problem: problem)
    }

    private func syntaxError(
        _ parser: yaml_parser_t, _ bytes: UnsafeBufferPointer<UInt8>
    ) -> ConfigurationError {
        let problem = parser.problem.map { String(cString: $0) } ?? "cannot be read"
        guard parser.error != YAML_READER_ERROR else {
            let before = bytes.prefix(parser.problem_offset)
            let line = before.count { $0 == UInt8(ascii: "\n") } + 1
            let column = before.reversed().prefix { $0 != UInt8(ascii: "\n") }.count + 1
            return failure("not valid YAML: \(problem)", at: YAMLMark(line: line, column: column))
        }
        let context = parser.context.map {
            " \(String(cString: $0)) that begins in line \(parser.context_mark.line + 1)"
        }
        return failure("not valid YAML: \(problem)\(context ?? "")", at: Self.mark(parser.problem_mark))
    }

    private static func mark(_ mark: yaml_mark_t) -> YAMLMark { YAMLMark(line: mark.line + 1, column: mark.column + 1) }

    private static func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }
}
