//
// RowEncoder.swift: turns rows into one of the four forms, batch by batch, so that a long list needs no memory.
//

import AllocationCore

/// One list on its way out.
package struct RowEncoder: Sendable {
    private let columns: [Column]
    private let format: OutputFormat
    private let inColour: Bool
    private var hasHeader = false
    private var hasRows = false
    /// Of the table's columns; they only grow, so that later batches stand under the first.
    private var widths: [Int]
    private var isNumber: [Bool]

    package init(_ columns: [Column], as format: OutputFormat, inColour: Bool = false) {
        // A column is for people, for programs, or for both.
        self.columns = columns.filter { (format == .table ? $0.title : $0.key) != nil }
        self.format = format
        self.inColour = inColour
        isShown = columns.map { (format == .table ? $0.title : $0.key) != nil }
        widths = self.columns.map { $0.title?.count ?? 0 }
        isNumber = widths.map { _ in false }
    }

    private let isShown: [Bool]

    package mutating func encode(_ rows: [[Cell]]) -> [UInt8] {
        let rows = rows.map { row in zip(row, isShown).filter(\.1).map(\.0) }
        switch format {
        case .table: return table(rows)
        case .json: return json(rows)
        case .ndjson: return rows.flatMap { object($0) + [UInt8(ascii: "\n")] }
        case .csv: return csv(rows)
        }
    }

    /// What ends the list.
    package mutating func finish() -> [UInt8] {
        switch format {
        case .json: Array((hasRows ? "\n]\n" : "[]\n").utf8)
        case .ndjson: []
        case .table: table([])
        case .csv: csv([])
        }
    }

    // MARK: For people

    private mutating func table(_ rows: [[Cell]]) -> [UInt8] {
        let texts = rows.map { $0.map(\.plain) }
        for (row, texts) in zip(rows, texts) {
            for index in row.indices {
                widths[index] = max(widths[index], texts[index].count)
                if row[index].isNumber { isNumber[index] = true }
            }
        }
        var text = ""
        if !hasHeader {
            let header = line(columns.map { $0.title ?? "" })
            text += (inColour ? Tint.bold.paint(header) : header) + "\n"
            hasHeader = true
        }
        for (row, texts) in zip(rows, texts) { text += line(texts, row) + "\n" }
        return Array(text.utf8)
    }

    private func line(_ texts: [String], _ row: [Cell]? = nil) -> String {
        var line = ""
        for (index, text) in texts.enumerated() {
            let padding = String(repeating: " ", count: widths[index] - text.count)
            var shown = text
            if inColour, let cell = row?[index], let tint = columns[index].tint?(cell) { shown = tint.paint(text) }
            if index > 0 { line += "  " }
            line += isNumber[index] ? padding + shown : shown + padding
        }
        while line.last == " " { line.removeLast() }
        return line
    }

    // MARK: For programs

    private mutating func json(_ rows: [[Cell]]) -> [UInt8] {
        var bytes: [UInt8] = []
        for row in rows {
            bytes.append(contentsOf: (hasRows ? ",\n  " : "[\n  ").utf8)
            hasRows = true
            bytes.append(contentsOf: object(row))
        }
        return bytes
    }

    private func object(_ row: [Cell]) -> [UInt8] {
        var bytes: [UInt8] = []
        Cell.object(zip(columns, row).map { Cell.Member(key: $0.key ?? "", cell: $1) }).appendJSON(to: &bytes)
        return bytes
    }

    private mutating func csv(_ rows: [[Cell]]) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ cells: [Cell]) {
            for (index, cell) in cells.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                cell.appendCSV(to: &bytes)
            }
            bytes.append(contentsOf: [13, 10])
        }
        if !hasHeader { append(columns.map { .text($0.key ?? "") }) }
        hasHeader = true
        for row in rows { append(row) }
        return bytes
    }
}
