//
// SQLTests.swift
//

import Testing

@testable import PostgresDriver

/// Goal: a value never becomes part of a statement's text.
@Suite struct SQLTests {
    @Test("Interpolated values become numbered binds")
    func binds() {
        let name = "'; DROP TABLE target; --"
        let missing: Int32? = nil
        let sql: SQL = "SELECT * FROM target WHERE name = \(name) AND port = \(missing) OR id = ANY(\([Int64(1), 2]))"
        #expect(sql.text == "SELECT * FROM target WHERE name = $1 AND port = $2 OR id = ANY($3)")
        #expect(sql.binds.map(\.type) == [PostgresType.text, PostgresType.int4, PostgresType.int8Array])
        #expect(sql.binds[0].bytes == Array(name.utf8))
        #expect(sql.binds[1].bytes == nil)
        #expect(!"\(sql)".contains("DROP"))
    }

    @Test("A fragment's binds are numbered on")
    func fragments() {
        let filter: SQL = "job = \("api") AND address = \("a:1")"
        let sql: SQL = "SELECT \(1) WHERE \(filter) LIMIT \(10)"
        #expect(sql.text == "SELECT $1 WHERE job = $2 AND address = $3 LIMIT $4")
        #expect(sql.binds.count == 4)
        let sum: SQL = "SELECT 1" + filter + filter
        #expect(sum.text == "SELECT 1job = $1 AND address = $2job = $3 AND address = $4")
    }

    @Test("Only unsafeSQL puts text in")
    func unsafe() {
        let sql: SQL = "SELECT * FROM \(unsafeSQL: "ledger.target") WHERE id = \(Int32(7))"
        #expect(sql.text == "SELECT * FROM ledger.target WHERE id = $1")
        #expect(SQL(unsafeSQL: "COMMIT").text == "COMMIT")
    }
}
