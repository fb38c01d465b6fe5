//
// Report.swift: rows as people read them on a terminal, and as programs read them.
//

/// The form in which rows are written.
package enum OutputFormat: String, Sendable, CaseIterable {
    /// Aligned columns.
    case table
    /// One array of objects.
    case json
    /// An object a line.
    case ndjson
    /// RFC 4180, with a header line.
    case csv
}

/// A colour that says what kind of value this is, on terminals that have colours.
package enum Tint: String {
    case faint = "2"
    case bold = "1"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case cyan = "36"

    package func paint(_ text: String) -> String { "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" }
}

/// One column: its key for programs, its title for people.
package struct Column: Sendable {
    /// nil where it only repeats for people what other columns tell programs.
    package var key: String?
    /// nil where people are better off without it.
    package var title: String?
    package var tint: (@Sendable (Cell) -> Tint?)?

    package init(key: String?, title: String? = nil, tint: (@Sendable (Cell) -> Tint?)? = nil) {
        self.key = key
        self.title = title
        self.tint = tint
    }
}

/// Rows under columns, in one of the four forms.
package struct Report: Sendable {
    package var columns: [Column]
    package var rows: [[Cell]]

    package init(columns: [Column], rows: [[Cell]] = []) {
        self.columns = columns
        self.rows = rows
    }

    package func bytes(as format: OutputFormat, inColour: Bool = false) -> [UInt8] {
        var encoder = RowEncoder(columns, as: format, inColour: inColour)
        return encoder.encode(rows) + encoder.finish()
    }

    package func table(inColour: Bool) -> String {
        String(decoding: bytes(as: .table, inColour: inColour), as: UTF8.self)
    }
    package func json() -> [UInt8] { bytes(as: .json) }
    package func csv() -> String { String(decoding: bytes(as: .csv), as: UTF8.self) }

    /// Each row as lines of a title and a value, what is not known left out. For rows that have much to tell.
    package func facts(inColour: Bool) -> String {
        let shown = columns.indices.filter { columns[$0].title != nil }
        let width = shown.reduce(0) { max($0, columns[$1].title?.count ?? 0) }
        return rows.map { row in
            shown.filter { row[$0] != .none }.map { index in
                let title = columns[index].title ?? ""
                let padding = String(repeating: " ", count: width - title.count)
                return "\(inColour ? Tint.bold.paint(title) : title)\(padding)  \(row[index].plain)\n"
            }.joined()
        }.joined(separator: "\n")
    }

    /// A table of Markdown.
    package func markdown() -> String {
        let shown = columns.indices.filter { columns[$0].title != nil }
        func line(_ cells: [String]) -> String { "| \(cells.joined(separator: " | ")) |\n" }
        var text = line(shown.map { columns[$0].title?.lowercased() ?? "" })
        text += line(
            shown.map { index in !rows.isEmpty && rows.allSatisfy { $0[index].isNumber } ? "---:" : "---" })
        for row in rows { text += line(shown.map { Self.escaped(row[$0].plain) }) }
        return text
    }

    /// Text that Markdown takes as it is, within a table too.
    package static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            if #"\`*_[]<>|"#.contains(character) { escaped.append("\\") }
            escaped.append(character)
        }
        return escaped
    }
}
