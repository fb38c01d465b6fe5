//
// RowForm.swift: which fields a kind of row has, defined once for people and programs.
//

/// How a value of one type becomes a row.
struct RowForm<Row>: Sendable {
    struct Field: Sendable {
        var column: Column
        var cell: @Sendable (Row) -> Cell

        init(
            _ key: String?, _ title: String? = nil, tint: (@Sendable (Cell) -> Tint?)? = nil,
            _ cell: @escaping @Sendable (Row) -> Cell
        ) {
            column = Column(key: key, title: title, tint: tint)
            self.cell = cell
        }

        /// The same, for programs alone.
        var untitled: Field {
            var field = self
            field.column.title = nil
            return field
        }
    }

    var fields: [Field]

    init(_ fields: [Field]) { self.fields = fields }

    var columns: [Column] { fields.map(\.column) }

    func cells(_ row: Row) -> [Cell] { fields.map { $0.cell(row) } }

    func report(_ rows: some Sequence<Row>) -> Report { Report(columns: columns, rows: rows.map(cells)) }
}

/// A list that is written while it is read.
struct RowStream<Row> {
    private let form: RowForm<Row>
    private let console: Console
    private var encoder: RowEncoder
    private(set) var count = 0

    init(_ form: RowForm<Row>, as format: OutputFormat, to console: Console) {
        self.form = form
        self.console = console
        encoder = RowEncoder(form.columns, as: format, inColour: console.hasColour)
    }

    mutating func write(_ rows: some Sequence<Row>) throws(ClosedPipe) {
        let cells = rows.map(form.cells)
        count += cells.count
        try console.send(encoder.encode(cells))
    }

    mutating func finish() throws(ClosedPipe) { try console.send(encoder.finish()) }
}
