//
// YAMLNode.swift: a YAML document as a tree in which every value knows its line and column.
//
// Anchors, aliases and `<<` are already resolved. What a scalar means (number, truth value, text) is decided where it is
// read, by YAMLScalar+Value.swift.
//

/// A position in a text. Both count from 1; a column counts characters, not bytes.
package struct YAMLMark: Sendable, Equatable {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}

/// One value of a YAML document.
package struct YAMLNode: Sendable {
    package enum Content: Sendable {
        case scalar(YAMLScalar)
        case sequence([YAMLNode])
        case mapping(YAMLMapping)
    }

    package var content: Content
    /// Where the value begins. For a value that comes through an alias: where its anchor stands.
    package var mark: YAMLMark

    package init(_ content: Content, mark: YAMLMark) {
        self.content = content
        self.mark = mark
    }

    /// Reads the first document of a text; what follows it is ignored. A text without a document is a null.
    ///
    /// - Parameter file: The name for the text in errors.
    /// - Throws: ``ConfigurationError`` of kind ``ConfigurationError/Kind/syntax``: not YAML, or nested too deeply, or
    ///   blown up by aliases.
    package init(parsing text: String, file: String) throws(ConfigurationError) {
        var text = text
        // A result, because the standard library passes errors on without their type here.
        let parsed = text.withUTF8 { bytes in
            Result { () throws(ConfigurationError) in try YAMLNode(parsing: bytes, file: file) }
        }
        self = try parsed.get()
    }

    /// The same, from UTF-8 bytes (or UTF-16 ones with a byte-order mark).
    package init(parsing bytes: UnsafeBufferPointer<UInt8>, file: String) throws(ConfigurationError) {
        self = try YAMLComposer.compose(bytes, file: file)
    }

    /// Whether the value is an unquoted `null`, `~` or nothing at all.
    package var isNull: Bool { scalar?.isNull ?? false }

    package var scalar: YAMLScalar? {
        if case .scalar(let scalar) = content { scalar } else { nil }
    }

    package var sequence: [YAMLNode]? {
        if case .sequence(let items) = content { items } else { nil }
    }

    package var mapping: YAMLMapping? {
        if case .mapping(let mapping) = content { mapping } else { nil }
    }

    /// The member of that name, when the value is a mapping that has one.
    package subscript(key: String) -> YAMLNode? { mapping?[key]?.value }
}

/// One scalar as it was written.
package struct YAMLScalar: Sendable, Equatable {
    /// A tag written before the value: `!!str 5`.
    package enum Tag: Sendable { case string, integer, float, bool, null }

    /// The text, with quotes and escapes resolved, else unchanged.
    package var text: String
    /// Whether it was written without quotes and not as a block, so that it may mean something other than text.
    package var isPlain: Bool
    package var tag: Tag?

    package init(text: String, isPlain: Bool = true, tag: Tag? = nil) {
        self.text = text
        self.isPlain = isPlain
        self.tag = tag
    }
}

/// The members of a mapping in the order they were written, then those merged by `<<`.
package struct YAMLMapping: Sendable {
    package struct Member: Sendable {
        package var key: YAMLScalar
        package var keyMark: YAMLMark
        package var value: YAMLNode
    }

    /// A key that had been written before in the same mapping.
    package struct Repeat: Sendable {
        package var key: String
        package var mark: YAMLMark
    }

    /// Each key once: of a key written several times, the last one.
    package var members: [Member]
    /// The second and later places of repeated keys, in order.
    package var repeats: [Repeat]

    package subscript(key: String) -> Member? { members.first { $0.key.text == key } }
}
