//
// RowForm.swift: which fields a kind of row has, defined once for people and programs.
//

/// How a value of one type becomes a row.
package struct RowForm<Row>: Sendable {
    package struct Field: Sendable {
        package var column: Column
        package var cell: @Sendable (Row) -> Cell

        package init(
            _ key: String?, _ title: String? = nil, tint: (@Sendable (Cell) -> Tint?)? = nil,
            _ cell: @escaping @Sendable (Row) -> Cell
        ) {
            column = Column(key: key, title: title, tint: tint)
            self.cell = cell
        }

        /// The same, for programs alone.
        package var untitled: Field {
            var field = self
            field.column.title = nil
            return field
        }
    }

    package var fields: [Field]

    package init(_ fields: [Field]) { self.fields = fields }

    package var columns: [Column] { fields.map(\.column) }

    package func cells(_ row: Row) -> [Cell] { fields.map { $0.cell(row) } }

    package func report(_ rows: some Sequence<Row>) -> Report { Report(columns: columns, rows: rows.map(cells)) }
}
