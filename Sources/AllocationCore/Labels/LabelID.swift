//
// LabelID.swift: the numbers by which label pairs and label names are known in memory.
//

/// One interned (name, value) pair. Within one table equal IDs are equal pairs.
package struct LabelID: Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// One interned label name. Within one table equal IDs are equal names.
package struct LabelNameID: Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }
}
