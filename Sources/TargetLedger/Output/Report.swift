//
// Report.swift: rows as people read them on a terminal, and as programs read them.
//

import AllocationCore
import ArgumentParser

/// The form in which a command writes its rows.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
    /// Aligned columns.
    case table
    /// One array of objects.
    case json
    /// An object a line.
    case ndjson
    /// RFC 4180, with a header line.
    case csv
}

/// One value of a row.
enum Cell: Equatable {
    case text(String)
    case number(Int64)
    case boolean(Bool)
    /// Nothing is known, or nothing was there; a table shows `-`.
    case none

    static func optional(_ text: String?) -> Cell { text.map(Cell.text) ?? .none }
}

/// One column: its key for programs, its title for people.
struct Column {
    var key: String
    /// nil where people are better off without it.
    var title: String?
}

/// Rows under columns, written in one of the four forms.
struct Report {
    var columns: [Column]
    var rows: [[Cell]] = []

    func write(as format: OutputFormat, to console: Console) {
        switch format {
        case .table: console.write(table(inColour: console.hasColour))
        case .json: console.write(json())
        case .ndjson: for row in rows { console.write(object(row) + [UInt8(ascii: "\n")]) }
        case .csv: console.write(csv())
        }
    }

    // MARK: For people

    func table(inColour: Bool) -> String {
        let shown = columns.indices.filter { columns[$0].title != nil }
        let titles = shown.map { columns[$0].title ?? "" }
        let texts = rows.map { row in shown.map { Self.plain(row[$0]) } }
        let widths = titles.indices.map { index in texts.reduce(titles[index].count) { max($0, $1[index].count) } }
        let isNumber = shown.map { index in rows.contains { if case .number = $0[index] { true } else { false } } }
        func line(_ cells: [String]) -> String {
            var line = ""
            for (index, cell) in cells.enumerated() {
                let padding = String(repeating: " ", count: widths[index] - cell.count)
                if index > 0 { line += "  " }
                line += isNumber[index] ? padding + cell : cell + padding
            }
            while line.last == " " { line.removeLast() }
            return line
        }
        let header = line(titles)
        return ((inColour ? "\u{1B}[1m\(header)\u{1B}[0m" : header) + "\n")
            + texts.map { line($0) + "\n" }.joined()
    }

    private static func plain(_ cell: Cell) -> String {
        switch cell {
        // A name with a control character in it must not steer the reader's terminal.
        case .text(let text):
            String(
                String.UnicodeScalarView(
                    text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
        case .number(let number): String(number)
        case .boolean(let boolean): boolean ? "yes" : "no"
        case .none: "-"
        }
    }

    // MARK: For programs

    func json() -> [UInt8] {
        var bytes = Array("[".utf8)
        for (index, row) in rows.enumerated() {
            bytes.append(contentsOf: (index == 0 ? "\n  " : ",\n  ").utf8)
            bytes.append(contentsOf: object(row))
        }
        bytes.append(contentsOf: (rows.isEmpty ? "]\n" : "\n]\n").utf8)
        return bytes
    }

    private func object(_ row: [Cell]) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        for (column, cell) in zip(columns, row) {
            if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
            JSONText.appendQuoted(column.key, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            switch cell {
            case .text(let text): JSONText.appendQuoted(text, to: &bytes)
            case .number(let number): bytes.append(contentsOf: String(number).utf8)
            case .boolean(let boolean): bytes.append(contentsOf: (boolean ? "true" : "false").utf8)
            case .none: bytes.append(contentsOf: "null".utf8)
            }
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    func csv() -> String {
        func field(_ text: String) -> String {
            // By scalar: a carriage return and a line feed together are one Character.
            guard text.unicodeScalars.contains(where: { [",", "\"", "\r", "\n"].contains($0) }) else { return text }
            return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
        }
        func line(_ cells: [String]) -> String { cells.map(field).joined(separator: ",") + "\r\n" }
        return line(columns.map(\.key))
            + rows.map { row in
                line(
                    row.map { cell in
                        switch cell {
                        case .text(let text): text
                        case .number(let number): String(number)
                        case .boolean(let boolean): boolean ? "true" : "false"
                        case .none: ""
                        }
                    })
            }.joined()
    }
}
