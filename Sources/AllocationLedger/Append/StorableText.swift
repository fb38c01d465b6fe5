//
// StorableText.swift: what PostgreSQL's text type cannot hold, and what stands in for it.
//
// text holds any UTF-8 but the zero byte, and one value that it refuses would keep a whole revision from being recorded,
// again and again. A name must be stored as it is or be refused; words for people are mended; a label is kept exactly,
// its bytes beside a mended text.
//

import AllocationCore

enum StorableText {
    static func isStorable(_ bytes: UnsafeRawBufferPointer) -> Bool {
        !bytes.contains(0) && String(validating: bytes, as: UTF8.self) != nil
    }

    /// - Throws: ``LedgerError/unstorable(_:)`` for a name with a zero byte.
    static func require(_ name: String, _ what: String) throws {
        guard !name.utf8.contains(0) else {
            throw LedgerError.unstorable("\(what) \"\(mended(name))\", which holds a zero byte")
        }
    }

    /// Zero bytes become U+FFFD, and it is cut at a length that no message for people needs.
    static func mended(_ text: String, bytesMax: Int = 4096) -> String {
        var text = text
        if text.utf8.contains(0) {
            text = String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : $0 }))
        }
        guard text.utf8.count > bytesMax else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: bytesMax)
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return text[..<end] + "…"
    }

    /// Whatever is not UTF-8, and zero bytes, become U+FFFD.
    static func mended(_ bytes: UnsafeRawBufferPointer) -> String {
        mended(String(decoding: bytes, as: UTF8.self), bytesMax: .max)
    }

    /// The value of a target's address as its row has it; empty without one.
    static func address(_ label: LabelID?, in table: LabelTable) -> String {
        guard let label else { return "" }
        return table.withValueBytes(label) { bytes in
            table.isPlainJSON(label) || isStorable(bytes) ? String(decoding: bytes, as: UTF8.self) : mended(bytes)
        }
    }
}
