//
// PostgresConnection+Copy.swift: COPY in both directions, in chunks that pass between the caller and the poll thread.
//
// The caller's closures run where the caller runs, so making or reading a million rows holds up no other session; the
// connection only moves bytes. A COPY keeps the wire from its first chunk to its last.
//

import CLibpq
import Glibc

/// What a COPY to the client does with its bytes: the most that are gathered before they are handed over.
private let chunkBytesMax = 256 * 1024

/// libpq sends in pieces of this size, and between them its buffer is emptied: it would grow without bound otherwise.
private let pieceBytesMax = 64 * 1024

extension PostgresConnection {
    /// Runs `COPY … FROM STDIN`.
    ///
    /// With `(FORMAT binary)` the header and the trailer are added; in other formats `next` appends raw bytes.
    ///
    /// - Parameters:
    ///   - statement: Without binds: COPY takes none.
    ///   - next: Appends rows and returns whether there are more. Handed in again once what it appended is taken; some
    ///     256 KiB a call serve best.
    /// - Returns: Rows copied.
    /// - Throws: What `next` throws, after which nothing is copied; or a ``PostgresError``.
    @discardableResult
    nonisolated(nonsending) package func copyIn(
        _ statement: SQL, deadline: ContinuousClock.Instant? = nil, file: String = #fileID, line: Int = #line,
        next: (inout CopyBuffer) throws -> Bool
    ) async throws -> Int {
        let site = PostgresError.CallSite(file: file, line: line)
        let isBinary = try await beginCopy(statement, PGRES_COPY_IN, deadline: deadline, site: site)
        do {
            var buffer = CopyBuffer(capacity: chunkBytesMax + chunkBytesMax / 4)
            if isBinary { buffer.appendHeader() }
            while try next(&buffer) {
                if buffer.byteCount >= pieceBytesMax { buffer = try await put(buffer) }
            }
            if isBinary { buffer.appendTrailer() }
            return try await endCopyIn(buffer, statement)
        } catch {
            await abandonCopyIn()
            throw (error as? PostgresError)?.locating(statement: statement.text, site: site) ?? error
        }
    }

    /// Runs `COPY … TO STDOUT (FORMAT binary)` and hands each row to `row`.
    ///
    /// - Parameter row: Reads a row's fields. An error it throws ends the COPY and is thrown on.
    /// - Returns: Rows read.
    @discardableResult
    nonisolated(nonsending) package func copyOut(
        _ statement: SQL, deadline: ContinuousClock.Instant? = nil, file: String = #fileID, line: Int = #line,
        row: (inout CopyRowReader) throws -> Void
    ) async throws -> Int {
        var stream = CopyStream()
        try await copyChunks(statement, deadline: deadline, site: .init(file: file, line: line)) { bytes in
            try stream.consume(bytes, row: row)
        }
        guard stream.sawTrailer else {
            throw PostgresError(.decoding, "COPY ended in the middle of a row").locating(
                statement: statement.text, site: .init(file: file, line: line))
        }
        return stream.rowCount
    }

    /// Runs `COPY … TO STDOUT` in any format and hands on its bytes as they come. A chunk ends where a row ends.
    nonisolated(nonsending) package func copyOutRaw(
        _ statement: SQL, deadline: ContinuousClock.Instant? = nil, file: String = #fileID, line: Int = #line,
        chunk: (UnsafeRawBufferPointer) throws -> Void
    ) async throws {
        try await copyChunks(statement, deadline: deadline, site: .init(file: file, line: line)) { bytes in
            try chunk(bytes)
            return bytes.count
        }
    }

    /// - Parameter take: Returns how many bytes it took; the rest comes again in front of the next chunk.
    nonisolated(nonsending) private func copyChunks(
        _ statement: SQL, deadline: ContinuousClock.Instant?, site: PostgresError.CallSite,
        take: (UnsafeRawBufferPointer) throws -> Int
    ) async throws {
        _ = try await beginCopy(statement, PGRES_COPY_OUT, deadline: deadline, site: site)
        do {
            var buffer = CopyBuffer(capacity: chunkBytesMax + chunkBytesMax / 4)
            repeat {
                buffer = try await fill(buffer, statement)
                if buffer.byteCount > 0 { buffer.removeFirst(try take(buffer.bytes)) }
            } while !buffer.isLast
        } catch {
            await abandonCopyOut()
            throw (error as? PostgresError)?.locating(statement: statement.text, site: site) ?? error
        }
        await finish()
    }

    // MARK: On the poll thread

    /// Takes the wire and starts the COPY. Unless it throws, the wire is to be given back by `finish`.
    /// - Returns: Whether it is in binary format.
    private func beginCopy(
        _ statement: SQL, _ direction: ExecStatusType, deadline: ContinuousClock.Instant?,
        site: PostgresError.CallSite
    ) async throws(PostgresError) -> Bool {
        do throws(PostgresError) {
            guard statement.binds.isEmpty else { throw PostgresError(.misuse, "COPY takes no binds") }
            try await begin(deadline: deadline)
        } catch {
            throw error.locating(statement: statement.text, site: site)
        }
        do throws(PostgresError) {
            try send(statement)
            try await flush()
            guard let result = try await nextResult() else { throw lose() }
            let status = PQresultStatus(result.pointer)
            if status == direction { return PQbinaryTuples(result.pointer) == 1 }
            if status == PGRES_COPY_IN || status == PGRES_COPY_OUT {
                endSession(PostgresError(.connectionLost, "the session was closed in the middle of a COPY"))
                throw PostgresError(.misuse, "the COPY goes in the other direction")
            }
            let failure = status == PGRES_FATAL_ERROR ? self.failure(of: result, statement.text) : nil
            while try await nextResult() != nil {}
            throw failure ?? PostgresError(.misuse, "the statement is no COPY")
        } catch {
            await finish()
            throw error.locating(statement: statement.text, site: site)
        }
    }

    /// Sends what is in the buffer and gives it back empty.
    private func put(_ buffer: consuming CopyBuffer) async throws(PostgresError) -> CopyBuffer {
        var buffer = buffer
        var sent = 0
        while sent < buffer.byteCount {
            if Task.isCancelled { throw PostgresError(.cancelled, "the task was cancelled during COPY") }
            guard let connection = session?.connection else { throw endedError }
            let count = min(pieceBytesMax, buffer.byteCount - sent)
            let start = buffer.storage.advanced(by: sent).assumingMemoryBound(to: CChar.self)
            switch PQputCopyData(connection, start, Int32(count)) {
            case 1: sent += count
            case 0: try await waitForSocket(POLLIN | POLLOUT)
            // The server has ended the COPY: `endCopyIn` learns why.
            default: throw try await outcomeOfCopy()
            }
            try await flush()
        }
        buffer.removeAll()
        return buffer
    }

    private func endCopyIn(
        _ buffer: consuming CopyBuffer, _ statement: SQL
    ) async throws(PostgresError) -> Int {
        _ = try await put(buffer)
        try await putEnd(nil)
        let rows = try await collect(statement.text).affectedRows
        await finish()
        return rows
    }

    private func putEnd(_ complaint: String?) async throws(PostgresError) {
        while true {
            guard let connection = session?.connection else { throw endedError }
            switch PQputCopyEnd(connection, complaint) {
            case 1: return try await flush()
            case 0: try await waitForSocket(POLLIN | POLLOUT)
            default: throw try await outcomeOfCopy()
            }
        }
    }

    /// The server's reason for having ended a COPY.
    private func outcomeOfCopy() async throws(PostgresError) -> PostgresError {
        _ = try await collect(nil)
        return lose("COPY ended early")
    }

    /// Ends a COPY that the caller gave up; the server copies nothing.
    private func abandonCopyIn() async {
        // Over already: `endCopyIn` heard the server's answer, and that was the error.
        guard operation != nil else { return }
        operation?.heedsCancellation = false
        operation?.deadline = .now + Self.cancelGrace
        if let connection = session?.connection, PQtransactionStatus(connection) == PQTRANS_ACTIVE {
            do throws(PostgresError) {
                try await putEnd("the client gave the COPY up")
                _ = try await collect(nil)
            } catch {
                // That it failed is what was asked for; a lost session is noticed by the next call.
            }
        }
        await finish()
    }

    /// Gathers rows until the buffer is full or the COPY has ended, which sets `isLast`.
    private func fill(
        _ buffer: consuming CopyBuffer, _ statement: SQL
    ) async throws(PostgresError) -> CopyBuffer {
        var buffer = buffer
        if Task.isCancelled && operation?.heedsCancellation ?? true {
            throw PostgresError(.cancelled, "the task was cancelled during COPY")
        }
        while buffer.byteCount < chunkBytesMax {
            guard let connection = session?.connection else { throw endedError }
            var row: UnsafeMutablePointer<CChar>?
            let count = PQgetCopyData(connection, &row, 1)
            if count > 0 {
                buffer.append(raw: UnsafeRawBufferPointer(start: row, count: Int(count)))
                PQfreemem(row)
            } else if count == 0 {
                try await waitForSocket(POLLIN)
                try consumeInput()
            } else if count == -1 {
                _ = try await collect(statement.text)
                buffer.isLast = true
                break
            } else {
                throw lose()
            }
        }
        return buffer
    }

    /// Ends a COPY whose rows nobody wants any more: the server is asked to stop, what is under way is thrown away.
    private func abandonCopyOut() async {
        guard operation != nil else { return }
        operation?.heedsCancellation = false
        operation?.deadline = .now + Self.cancelGrace
        if let connection = session?.connection, PQtransactionStatus(connection) == PQTRANS_ACTIVE {
            requestCancel()
            do throws(PostgresError) {
                var buffer = CopyBuffer(capacity: chunkBytesMax)
                repeat {
                    buffer.removeAll()
                    buffer = try await fill(buffer, "COPY")
                } while !buffer.isLast
            } catch {
                // The cancelling is the error.
            }
        }
        await finish()
    }
}
