//
// Fixture.swift: reads the vectors, and turns groups back into texts.
//

import AllocationCore
import Foundation

@testable import Discovery

/// What a document must come to.
struct Expectation: Decodable {
    var targets: [[String: String]]?
    var error: String?
}

enum Fixture {
    static func vectors<T: Decodable>(_ name: String, as type: T.Type = T.self) -> [T] {
        guard let url = Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: "json") else {
            fatalError("no fixture \(name)")
        }
        do {
            return try JSONDecoder().decode([T].self, from: Data(contentsOf: url))
        } catch {
            fatalError("fixture \(name): \(error)")
        }
    }
}

extension GroupDocumentReader {
    mutating func read(
        _ text: String, _ format: Format, table: LabelTable
    ) throws(GroupSyntaxError) -> DocumentChange {
        let bytes = Array(text.utf8)
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(GroupSyntaxError) in try read(bytes, format, table: table) }
        }
        return try result.get()
    }
}

extension TargetGroup {
    /// Each target with the group's labels, those without a value left out: they count as absent.
    func targetTexts(_ table: LabelTable) -> [[String: String]] {
        targets.map { own in labels.merging(own, in: table).dictionary(in: table).filter { !$0.value.isEmpty } }
    }
}

extension DocumentChange {
    func targetTexts(_ table: LabelTable) -> [[String: String]] {
        slots.indices.flatMap { groups.group($0, source: "").targetTexts(table) }
    }
}
