import AllocationCore
import Testing

@testable import Discovery

/// Goal: a document that is read again brings what changed and nothing else.
///
/// Method: documents made of numbered groups, changed in one way at a time; every change is applied to a copy of what
/// was known, which must then hold the document's groups, whatever the slots.
@Suite struct GroupDocumentReaderTests {
    let table = LabelTable()
    var reader = GroupDocumentReader(name: "d", originLabel: "o")
    var known = PackedGroups()

    static func json(_ groups: [String]) -> String {
        "[" + groups.map { "{\"targets\":[\"\($0)\"],\"labels\":{\"n\":\"\($0)\"}}" }.joined(separator: ",\n ") + "]"
    }

    static func yaml(_ groups: [String]) -> String {
        groups.map { "- targets: [\"\($0)\"]\n  labels: {n: \"\($0)\"}\n" }.joined()
    }

    /// Reads, applies, and returns the slots that changed.
    mutating func read(_ groups: [String], _ format: GroupDocumentReader.Format = .json) throws -> [UInt32] {
        let text = format == .json ? Self.json(groups) : Self.yaml(groups)
        let change = try reader.read(text, format, table: table)
        for (position, slot) in change.slots.enumerated() {
            let differs = change.groups.withRun(position) { known.set(Int(slot), $0) } ?? known.remove(Int(slot))
            #expect(differs, "slot \(slot) was named without need")
        }
        let held = (0..<known.slotCount).flatMap { known.group($0, source: "").targetTexts(table) }
        #expect(held.compactMap { $0["n"] }.sorted() == groups.sorted())
        #expect(reader.targetCount == groups.count)
        return change.slots.sorted()
    }

    static let hundred = (0..<100).map { "g\($0)" }

    @Test("A group that changed in place costs one slot", arguments: [GroupDocumentReader.Format.json, .yaml])
    mutating func edit(_ format: GroupDocumentReader.Format) throws {
        #expect(try read(Self.hundred, format) == Array(0..<100))
        #expect(try read(Self.hundred, format) == [])
        var groups = Self.hundred
        groups[42] = "longer than before"
        #expect(try read(groups, format) == [42])
    }

    @Test("A group inserted in front costs one slot", arguments: [GroupDocumentReader.Format.json, .yaml])
    mutating func insert(_ format: GroupDocumentReader.Format) throws {
        _ = try read(Self.hundred, format)
        #expect(try read(["first"] + Self.hundred, format) == [100])
        #expect(try read(["zeroth", "first"] + Self.hundred, format) == [101])
    }

    @Test("A group deleted costs one slot, which the next new group takes")
    mutating func delete() throws {
        _ = try read(Self.hundred)
        var groups = Self.hundred
        groups.remove(at: 30)
        #expect(try read(groups) == [30])
        #expect(try read(groups + ["new"]) == [30])
    }

    @Test("Many deleted at once cost their slots alone")
    mutating func deleteMany() throws {
        _ = try read(Self.hundred)
        #expect(try read(Self.hundred.filter { !(20..<60).contains(Int($0.dropFirst()) ?? 0) }) == Array(20..<60))
    }

    @Test("Many edited in a row cost their slots alone")
    mutating func editMany() throws {
        _ = try read(Self.hundred)
        var groups = Self.hundred
        for place in 10..<60 { groups[place] = "new \(place)" }
        #expect(try read(groups) == Array(10..<60))
    }

    @Test("Another order changes nothing")
    mutating func reorder() throws {
        _ = try read(Self.hundred)
        #expect(try read(Self.hundred.reversed()) == [])
        #expect(try read(Array(Self.hundred[50...] + Self.hundred[..<50])) == [])
    }

    @Test("Equal groups are counted, not merged")
    mutating func duplicates() throws {
        _ = try read(["a", "a", "b", "a"])
        #expect(try read(["a", "b", "a", "a"]) == [])
        #expect(try read(["a", "b"]) == [1, 3])
    }

    @Test("A document that cannot be read changes nothing")
    mutating func broken() throws {
        _ = try read(Self.hundred)
        #expect(throws: GroupSyntaxError.self) { try reader.read("[{\"targets\":[\"x\"]},", .json, table: table) }
        #expect(reader.targetCount == 100)
        #expect(try read(Self.hundred) == [])
        #expect(try read([]) == Array(0..<100))
    }

    @Test("Any sequence of changes ends with what the document holds")
    mutating func random() throws {
        var numbers = SystemRandomNumberGenerator()
        var groups = Self.hundred
        var next = 0
        for _ in 0..<200 {
            for _ in 0..<Int.random(in: 0...5, using: &numbers) {
                next += 1
                switch Int.random(in: 0..<5, using: &numbers) {
                case 0: groups.insert("n\(next)", at: Int.random(in: 0...groups.count, using: &numbers))
                case 1 where !groups.isEmpty: groups.remove(at: Int.random(in: 0..<groups.count, using: &numbers))
                case 2 where !groups.isEmpty: groups[Int.random(in: 0..<groups.count, using: &numbers)] = "n\(next)"
                case 3: groups.shuffle(using: &numbers)
                default:
                    if let some = groups.randomElement(using: &numbers) { groups.append(some) }
                }
            }
            _ = try read(groups)
        }
    }
}
