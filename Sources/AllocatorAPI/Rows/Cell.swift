//
// Cell.swift: one value of a row, as people read it and as programs read it.
//

import AllocationCore
import AllocationLedger

/// One value of a row.
package enum Cell: Sendable, Hashable {
    case text(String)
    case number(Int64)
    /// To the thousandth.
    case decimal(Double)
    case boolean(Bool)
    case list([Cell])
    case object([Member])
    /// Nothing is known, or nothing was there; a table shows `-`.
    case none

    package struct Member: Sendable, Hashable {
        package var key: String
        package var cell: Cell

        package init(key: String, cell: Cell) {
            self.key = key
            self.cell = cell
        }
    }

    package static func optional(_ text: String?) -> Cell { text.map(Cell.text) ?? .none }
    package static func optional(_ number: Int64?) -> Cell { number.map(Cell.number) ?? .none }
    package static func optional(_ number: Double?) -> Cell { number.map(Cell.decimal) ?? .none }

    /// An object of texts.
    package static func object(_ members: some Sequence<(key: String, value: String)>) -> Cell {
        .object(members.map { Member(key: $0.key, cell: .text($0.value)) })
    }

    package var isNumber: Bool {
        switch self {
        case .number, .decimal: true
        default: false
        }
    }

    // MARK: For people

    package var plain: String {
        switch self {
        // A name with a control character in it must not steer the reader's terminal.
        case .text(let text):
            text.unicodeScalars.contains { $0.properties.generalCategory == .control }
                ? String(
                    String.UnicodeScalarView(
                        text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
                : text
        case .number(let number): String(number)
        case .decimal(let number): Self.rounded(number)
        case .boolean(let boolean): boolean ? "yes" : "no"
        case .list(let cells): cells.isEmpty ? "-" : cells.map(\.plain).joined(separator: ", ")
        case .object(let members):
            members.isEmpty
                ? "-" : members.map { "\(Cell.text($0.key).plain)=\($0.cell.plain)" }.joined(separator: " ")
        case .none: "-"
        }
    }

    private static func rounded(_ number: Double) -> String {
        let rounded = (number * 1000).rounded() / 1000
        guard let whole = Int64(exactly: rounded) else { return "\(rounded)" }
        return "\(whole)"
    }

    // MARK: For programs

    package func appendJSON(to bytes: inout [UInt8]) {
        switch self {
        case .text(let text): JSONText.appendQuoted(text, to: &bytes)
        case .number(let number): bytes.append(contentsOf: String(number).utf8)
        case .decimal(let number): bytes.append(contentsOf: (number.isFinite ? Self.rounded(number) : "null").utf8)
        case .boolean(let boolean): bytes.append(contentsOf: (boolean ? "true" : "false").utf8)
        case .list(let cells):
            bytes.append(UInt8(ascii: "["))
            for (index, cell) in cells.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                cell.appendJSON(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                JSONText.appendQuoted(member.key, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.cell.appendJSON(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        case .none: bytes.append(contentsOf: "null".utf8)
        }
    }

    /// One field of RFC 4180. What has parts is JSON text.
    package func appendCSV(to bytes: inout [UInt8]) {
        switch self {
        case .none: break
        case .text(let text): Self.appendField(text.utf8, to: &bytes)
        case .list, .object:
            var json: [UInt8] = []
            appendJSON(to: &json)
            Self.appendField(json, to: &bytes)
        case .number, .decimal, .boolean: appendJSON(to: &bytes)
        }
    }

    private static func appendField(_ field: some Sequence<UInt8>, to bytes: inout [UInt8]) {
        let (comma, quote, carriageReturn, lineFeed) = (UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(13), UInt8(10))
        let isPlain = field.allSatisfy { $0 != comma && $0 != quote && $0 != carriageReturn && $0 != lineFeed }
        guard !isPlain else { return bytes.append(contentsOf: field) }
        bytes.append(quote)
        for byte in field {
            if byte == quote { bytes.append(quote) }
            bytes.append(byte)
        }
        bytes.append(quote)
    }
}

extension Cell {
    package init(_ labels: RecordedLabels) {
        self = .object(labels.pairs.lazy.map { (key: $0.name, value: $0.value) })
    }

    /// A list of `{label, before, after}`; null stands for a label that is not there.
    package init(_ difference: LabelDifference) {
        func change(_ name: String, _ before: Cell, _ after: Cell) -> Cell {
            .object([
                Member(key: "label", cell: .text(name)), Member(key: "before", cell: before),
                Member(key: "after", cell: after),
            ])
        }
        self = .list(
            difference.changed.map { change($0.name, .text($0.before), .text($0.after)) }
                + difference.removed.map { change($0.name, .text($0.value), .none) }
                + difference.added.map { change($0.name, .none, .text($0.value)) })
    }
}
