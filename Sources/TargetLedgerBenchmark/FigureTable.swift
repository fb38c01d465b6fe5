//
// FigureTable.swift: figures as a Markdown table, ready to be read and to be put into a document.
//

/// Rows of text under headings.
struct FigureTable {
    private let headings: [String]
    private var rows: [[String]] = []

    init(_ headings: String...) { self.headings = headings }

    mutating func add(_ cells: String...) { rows.append(cells) }

    func write() {
        let widths = headings.indices.map { column in
            ([headings] + rows).map { $0[column].count }.max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            "| " + zip(cells, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: " | ")
                + " |"
        }
        output(line(headings))
        output("|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|")
        for row in rows { output(line(row)) }
        output("")
    }
}

/// Standard output, line by line.
func output(_ line: String) {
    print(line)
    fflushAll()
}
