//
// DataTable.swift: a table that scrolls within itself, with a caption and named columns.
//

/// Rows of one kind under named columns.
struct DataTable<Row>: Sendable {
    struct Column: Sendable {
        let title: String
        let isNumber: Bool
        let cell: @Sendable (Row) -> HTML

        init(_ title: String, number: Bool = false, _ cell: @escaping @Sendable (Row) -> HTML) {
            self.title = title
            self.isNumber = number
            self.cell = cell
        }

        static func text(_ title: String, _ text: @escaping @Sendable (Row) -> String) -> Column {
            Column(title) { HTML(text($0)) }
        }

        static func number(_ title: String, _ number: @escaping @Sendable (Row) -> some BinaryInteger & Sendable)
            -> Column
        {
            Column(title, number: true) { HTML(NumberText.grouped(number($0))) }
        }
    }

    let caption: String
    /// The first names its row.
    let columns: [Column]
    /// Said instead of a table without rows.
    let ifEmpty: String

    init(_ caption: String, ifEmpty: String, _ columns: [Column]) {
        self.caption = caption
        self.ifEmpty = ifEmpty
        self.columns = columns
    }

    func html(_ rows: [Row]) -> HTML {
        guard !rows.isEmpty else { return Tag.p(.class("empty")) { ifEmpty } }
        return Tag.div(.class("scroll"), .focusable, .role("region"), .ariaLabel(caption)) {
            Tag.table(columns.count <= 3 ? .class("small") : nil) {
                Tag.caption { caption }
                Tag.thead {
                    Tag.tr {
                        for column in columns {
                            Tag.th(.scope("col"), column.isNumber ? .class("n") : nil) { column.title }
                        }
                    }
                }
                Tag.tbody { for row in rows { html(row) } }
            }
        }
    }

    private func html(_ row: Row) -> HTML {
        Tag.tr {
            for (index, column) in columns.enumerated() {
                if index == 0 {
                    Tag.th(.scope("row"), column.isNumber ? .class("n") : nil) { column.cell(row) }
                } else {
                    Tag.td(column.isNumber ? .class("n") : nil) { column.cell(row) }
                }
            }
        }
    }
}
