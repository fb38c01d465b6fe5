//
// LabelReader.swift: reads labels by id into the process's label table.
//

import AllocationCore
import PostgresDriver

struct LabelReader: Sendable {
    let table: LabelTable

    private static let batch = 20_000

    /// Interns each label of `needed` and hands over its number.
    ///
    /// - Parameter all: How many ids the dictionary has given. When much of it is needed it is read through; when little
    ///   is, by id: a dictionary keeps what left long ago.
    func read(
        _ needed: RankedBitmap, of all: Int, _ connection: isolated PostgresConnection, _ body: (Int32, LabelID) -> Void
    ) async throws {
        if needed.count * 4 >= all {
            try await connection.copyOut("COPY ledger.label (id, name, value, raw) TO STDOUT (FORMAT binary)") { row in
                let id = try row.int32()
                guard needed.contains(id) else { return }
                body(id, try intern(&row))
            }
            return
        }
        let ids = needed.members
        for start in stride(from: 0, to: ids.count, by: Self.batch) {
            let slice = Array(ids[start..<min(start + Self.batch, ids.count)])
            let rows = try await connection.query(
                "SELECT id, name, value, raw FROM ledger.label WHERE id = ANY(\(slice))")
            for row in rows {
                let label =
                    if let raw = try row.decode(3, as: [UInt8]?.self) {
                        try raw.withUnsafeBytes { try internRaw($0) }
                    } else {
                        table.intern(try row.decode(1, as: String.self), try row.decode(2, as: String.self))
                    }
                body(try row.decode(0, as: Int32.self), label)
            }
        }
    }

    private func intern(_ row: inout CopyRowReader) throws -> LabelID {
        // The fields lie in the same chunk, so the first stays readable while the next are.
        let name = try row.withBytes { $0 }
        let value = try row.withBytes { $0 }
        if let label = try row.withBytes({ raw in try raw.map { try internRaw($0) } }) { return label }
        guard let name, let value else { throw LedgerError.corrupted("a row of ledger.label has no name or value") }
        return table.intern { $0.intern(name: name, value: value) }
    }

    private func internRaw(_ pair: UnsafeRawBufferPointer) throws -> LabelID {
        guard let separator = pair.firstIndex(of: 0xFF) else {
            throw LedgerError.corrupted("a raw pair in ledger.label has no separator")
        }
        return table.intern { interner in
            interner.intern(
                name: UnsafeRawBufferPointer(rebasing: pair[..<separator]),
                value: UnsafeRawBufferPointer(rebasing: pair[(separator + 1)...]))
        }
    }
}
