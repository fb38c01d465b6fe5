//
// PostgresConnection+Query.swift: statements, one at a time or in a pipeline.
//

import CLibpq
import Glibc

extension PostgresConnection {
    /// Runs one statement and returns its rows. Values travel in binary; a text that comes again is prepared.
    @discardableResult
    package func query(
        _ sql: SQL, deadline: ContinuousClock.Instant? = nil, file: String = #fileID, line: Int = #line
    ) async throws(PostgresError) -> PostgresRows {
        try await perform(sql.text, deadline: deadline, site: .init(file: file, line: line)) {
            () async throws(PostgresError) in try await run(sql)
        }
    }

    /// Runs one statement and returns how many rows it affected.
    @discardableResult
    package func execute(
        _ sql: SQL, deadline: ContinuousClock.Instant? = nil, file: String = #fileID, line: Int = #line
    ) async throws(PostgresError) -> Int {
        try await query(sql, deadline: deadline, file: file, line: line).affectedRows
    }

    /// Runs a text of several statements without binds, such as a migration. They are one transaction unless the text
    /// itself or an open transaction says otherwise.
    package func executeScript(
        unsafeSQL: String, deadline: ContinuousClock.Instant? = nil, file: String = #fileID, line: Int = #line
    ) async throws(PostgresError) {
        try await perform(unsafeSQL, deadline: deadline, site: .init(file: file, line: line)) {
            () async throws(PostgresError) in
            guard let connection = session?.connection else { throw endedError }
            guard PQsendQuery(connection, unsafeSQL) == 1 else { throw lose() }
            try await flush()
            _ = try await collect(unsafeSQL)
        }
    }

    /// Runs several statements in one round trip, in order.
    ///
    /// Outside a transaction they are one transaction. The first that fails is thrown, those behind it are not run.
    @discardableResult
    package func pipeline(
        _ statements: [SQL], deadline: ContinuousClock.Instant? = nil, file: String = #fileID, line: Int = #line
    ) async throws(PostgresError) -> [PostgresRows] {
        guard !statements.isEmpty else { return [] }
        return try await perform(nil, deadline: deadline, site: .init(file: file, line: line)) {
            () async throws(PostgresError) in
            try await deallocateEvicted()
            guard let connection = session?.connection else { throw endedError }
            guard PQenterPipelineMode(connection) == 1 else {
                throw PostgresError(.misuse, "a pipeline cannot begin in the middle of a COPY")
            }
            let steps = try await sendPipeline(statements)
            let rows = try await collectPipeline(steps, statements)
            return try rows.get()
        }
    }

    // MARK: One statement

    /// Runs a statement on the wire that the caller has.
    func run(_ sql: SQL) async throws(PostgresError) -> PostgresRows {
        try await deallocateEvicted()
        guard usesPreparedStatements else { return try await runUnprepared(sql) }
        let key = StatementCache.Key(sql)
        switch statements.use(key) {
        case .unprepared: return try await runUnprepared(sql)
        case .prepare(let name):
            do throws(PostgresError) {
                try sendPrepare(sql, name: name)
                try await flush()
                _ = try await collect(sql.text)
            } catch {
                statements.forgetRefused(key)
                return try await runAgain(sql, key, after: error)
            }
            return try await runPrepared(sql, key, name: name)
        case .prepared(let name): return try await runPrepared(sql, key, name: name)
        }
    }

    func runUnprepared(_ sql: SQL) async throws(PostgresError) -> PostgresRows {
        try send(sql)
        try await flush()
        return try await collect(sql.text)
    }

    private func runPrepared(
        _ sql: SQL, _ key: StatementCache.Key, name: String
    ) async throws(PostgresError) -> PostgresRows {
        do throws(PostgresError) {
            try send(sql, prepared: name)
            try await flush()
            return try await collect(sql.text)
        } catch {
            return try await runAgain(sql, key, after: error)
        }
    }

    /// A statement that failed only for being prepared runs once more without. Outside a transaction nothing came of
    /// the failed attempt; inside one, the transaction has failed.
    private func runAgain(
        _ sql: SQL, _ key: StatementCache.Key, after error: PostgresError
    ) async throws(PostgresError) -> PostgresRows {
        switch error.sqlState {
        // A pooler gave us another session, where the name is unknown or another's.
        case .invalidSQLStatementName?, .duplicatePreparedStatement?: usesPreparedStatements = false
        // The tables changed so that the statement's columns have other types.
        case .featureNotSupported?: statements.forget(key)
        default: throw error
        }
        guard let connection = session?.connection, PQtransactionStatus(connection) == PQTRANS_IDLE else { throw error }
        return try await runUnprepared(sql)
    }

    private func deallocateEvicted() async throws(PostgresError) {
        guard usesPreparedStatements, let connection = session?.connection,
            PQtransactionStatus(connection) != PQTRANS_INERROR
        else { return }
        for name in statements.takeEvicted() {
            _ = try await runUnprepared("DEALLOCATE \(unsafeSQL: name)")
        }
    }

    // MARK: Pipeline

    /// One answer that the server owes.
    private struct Step {
        /// Which of the caller's statements.
        let statement: Int
        let preparing: StatementCache.Key?
    }

    private func sendPipeline(_ statements: [SQL]) async throws(PostgresError) -> [Step] {
        var steps: [Step] = []
        for (index, sql) in statements.enumerated() {
            let key = StatementCache.Key(sql)
            switch usesPreparedStatements ? self.statements.use(key) : .unprepared {
            case .unprepared: try send(sql)
            case .prepared(let name): try send(sql, prepared: name)
            case .prepare(let name):
                try sendPrepare(sql, name: name)
                steps.append(Step(statement: index, preparing: key))
                try send(sql, prepared: name)
            }
            steps.append(Step(statement: index, preparing: nil))
            // Bounds what libpq holds in memory, and takes answers in meanwhile.
            if index % 128 == 127 { try await flush() }
        }
        guard let connection = session?.connection else { throw endedError }
        guard PQpipelineSync(connection) == 1 else { throw lose() }
        try await flush()
        return steps
    }

    /// Reads every answer up to the end of the batch, also behind a failure, so that the wire is clear again.
    private func collectPipeline(
        _ steps: [Step], _ statements: [SQL]
    ) async throws(PostgresError) -> Result<[PostgresRows], PostgresError> {
        var rows: [PostgresRows] = []
        var failure: PostgresError?
        for step in steps {
            var isRefused = false
            while let result = try await nextResult() {
                switch PQresultStatus(result.pointer) {
                case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
                    if step.preparing == nil { rows.append(PostgresRows(result)) }
                case PGRES_PIPELINE_ABORTED: isRefused = true
                case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH: throw refuseCopy()
                default:
                    isRefused = true
                    let text = statements[step.statement].text
                    failure = failure ?? self.failure(of: result, text).locating(statement: text)
                }
            }
            if isRefused, let key = step.preparing { self.statements.forgetRefused(key) }
        }
        // The end of the batch.
        while let result = try await nextResult() {
            if PQresultStatus(result.pointer) == PGRES_PIPELINE_SYNC { break }
        }
        guard let connection = session?.connection else { throw failure ?? endedError }
        guard PQexitPipelineMode(connection) == 1 else { throw lose() }
        if let failure { return .failure(failure) }
        return .success(rows)
    }

    // MARK: Sending

    private func sendPrepare(_ sql: SQL, name: String) throws(PostgresError) {
        guard let connection = session?.connection else { throw endedError }
        let types = sql.binds.map(\.type)
        guard PQsendPrepare(connection, name, sql.text, Int32(types.count), types) == 1 else { throw lose() }
    }

    /// Hands a statement to libpq, by its text or by the name that it is prepared under.
    func send(_ sql: SQL, prepared name: String? = nil) throws(PostgresError) {
        guard let connection = session?.connection else { throw endedError }
        // The protocol counts binds in 16 bits.
        guard sql.binds.count <= 65_535 else {
            throw PostgresError(.misuse, "a statement has \(sql.binds.count) binds; 65535 is the limit")
        }
        let binds = BindBlock(sql.binds)
        let isSent =
            if let name {
                PQsendQueryPrepared(
                    connection, name, Int32(sql.binds.count), binds.values, binds.lengths, binds.formats, 1)
            } else {
                PQsendQueryParams(
                    connection, sql.text, Int32(sql.binds.count), binds.types, binds.values, binds.lengths,
                    binds.formats, 1)
            }
        withExtendedLifetime(binds) {}
        guard isSent == 1 else { throw lose() }
    }
}

/// Binds as libpq takes them: all values in one block of memory.
private final class BindBlock {
    let types: [UInt32]
    let lengths: [Int32]
    let formats: [Int32]
    let values: [UnsafePointer<CChar>?]
    private let memory: UnsafeMutablePointer<CChar>

    init(_ binds: [PostgresBind]) {
        types = binds.map(\.type)
        lengths = binds.map { Int32($0.bytes?.count ?? 0) }
        formats = binds.map(\.format.rawValue)
        // A byte more for the zero that libpq looks for behind a text value; also so that an empty value has an address.
        memory = .allocate(capacity: binds.reduce(1) { $0 + ($1.bytes?.count ?? 0) + 1 })
        var next = memory
        var values: [UnsafePointer<CChar>?] = []
        values.reserveCapacity(binds.count)
        for bind in binds {
            guard let bytes = bind.bytes else {
                values.append(nil)
                continue
            }
            bytes.withUnsafeBytes { source in
                UnsafeMutableRawBufferPointer(start: next, count: source.count).copyMemory(from: source)
            }
            values.append(UnsafePointer(next))
            next += bytes.count
            next.pointee = 0
            next += 1
        }
        self.values = values
    }

    deinit { memory.deallocate() }
}
