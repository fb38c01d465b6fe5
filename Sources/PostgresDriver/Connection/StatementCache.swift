//
// StatementCache.swift: decides which statements of a session are prepared.
//
// A text is prepared when it comes a second time: the first costs one round trip instead of two, and statements that
// come once, such as those that make a partition, leave nothing behind. The least recently used gives way.
//

struct StatementCache {
    struct Key: Hashable {
        let text: String
        let types: [UInt32]

        init(_ sql: SQL) {
            text = sql.text
            types = sql.binds.map(\.type)
        }
    }

    enum Choice: Equatable {
        /// Parse, bind and execute at once.
        case unprepared
        /// Prepare under this name, then execute.
        case prepare(name: String)
        case prepared(name: String)
    }

    private struct Entry {
        /// nil: seen once.
        var name: String?
        var lastUse: UInt64
    }

    private let capacity: Int
    private var entries: [Key: Entry] = [:]
    private var uses: UInt64 = 0
    private var names: UInt64 = 0
    private var evicted: [String] = []

    /// - Parameter capacity: Statements remembered, prepared or not; 1 or more.
    init(capacity: Int = 256) {
        precondition(capacity >= 1, "a cache of \(capacity) statements")
        self.capacity = capacity
    }

    mutating func use(_ key: Key) -> Choice {
        uses += 1
        guard let entry = entries[key] else {
            if entries.count >= capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })?.key {
                forget(oldest)
            }
            entries[key] = Entry(name: nil, lastUse: uses)
            return .unprepared
        }
        entries[key]?.lastUse = uses
        if let name = entry.name { return .prepared(name: name) }
        names += 1
        entries[key]?.name = "s\(names)"
        return .prepare(name: "s\(names)")
    }

    /// Drops a statement that gave way or whose columns have changed; the server is still to drop it.
    mutating func forget(_ key: Key) {
        if let name = entries.removeValue(forKey: key)?.name { evicted.append(name) }
    }

    /// Drops a statement that the server refused to prepare, and so does not know.
    mutating func forgetRefused(_ key: Key) { entries.removeValue(forKey: key) }

    /// Names that the server still knows and that are to be deallocated; each is given once.
    mutating func takeEvicted() -> [String] {
        defer { evicted = [] }
        return evicted
    }
}
