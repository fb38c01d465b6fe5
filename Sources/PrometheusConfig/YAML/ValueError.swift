//
// ValueError.swift: why a text is not the value it should be; whoever knows the place makes a ConfigurationError of it.
//

/// A text that does not say what it should. The description quotes it, so it is not for texts that may be secrets.
package struct ValueError: Error, Sendable, Equatable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

extension YAMLReader {
    /// A value that is written as text, for example a duration.
    ///
    /// - Parameter zero: What a null means.
    /// - Throws: ``ConfigurationError`` with the problem that `parse` found.
    package mutating func parsed<Value>(
        _ node: YAMLNode, zero: Value, _ parse: (String) throws(ValueError) -> Value
    ) throws(ConfigurationError) -> Value {
        guard !node.isNull else { return zero }
        guard node.scalar != nil else {
            reportType(node, expected: "a text")
            return zero
        }
        let text = string(node)
        do throws(ValueError) {
            return try parse(text)
        } catch {
            throw failure(error.description, at: node)
        }
    }
}
