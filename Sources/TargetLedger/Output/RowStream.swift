//
// RowStream.swift: rows on their way to a console.
//

import AllocatorAPI

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

extension Report {
    func write(as format: OutputFormat, to console: Console) {
        console.write(bytes(as: format, inColour: console.hasColour))
    }

    func send(as format: OutputFormat, to console: Console) throws(ClosedPipe) {
        try console.send(bytes(as: format, inColour: console.hasColour))
    }
}
