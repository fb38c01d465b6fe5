//
// PostgresConfigurationTests.swift
//

import Testing

@testable import PostgresDriver

/// Goal: libpq's connection strings are understood, several hosts among them, and no message or description of one
/// shows a password.
@Suite struct PostgresConfigurationTests {
    @Test("Both forms name the same server")
    func forms() throws {
        for text in [
            "postgresql://ann:s3cret@db.example:5433/ledger?sslmode=require&connect_timeout=7",
            "host=db.example port=5433 user=ann password=s3cret dbname=ledger sslmode=require connect_timeout=7",
        ] {
            let configuration = try PostgresConfiguration(connectionString: text)
            #expect(configuration.endpoints == [.init(host: "db.example", address: nil, port: "5433")])
            #expect(configuration.parameters["password"] == "s3cret")
            #expect(configuration.connectTimeout == .seconds(7))
            #expect(configuration.sessionTarget == .readWrite)
            #expect(
                configuration.redactedDescription == "host=db.example port=5433 dbname=ledger user=ann sslmode=require")
        }
    }

    @Test("Several hosts, with one port or one each")
    func hosts() throws {
        let each = try PostgresConfiguration(connectionString: "host=a,b port=1,2 target_session_attrs=any")
        #expect(each.endpoints == [.init(host: "a", port: "1"), .init(host: "b", port: "2")])
        #expect(each.sessionTarget == .any)
        let one = try PostgresConfiguration(connectionString: "postgresql://a,b:9/db")
        #expect(one.endpoints.map(\.host) == ["a", "b"])
        let shared = try PostgresConfiguration(connectionString: "host=a,b port=7")
        #expect(shared.endpoints.map(\.port) == ["7", "7"])
    }

    @Test("Another database keeps the rest")
    func otherDatabase() throws {
        let configuration = try PostgresConfiguration(connectionString: "host=a user=ann dbname=one")
        #expect(configuration.withDatabase("two").redactedDescription == "host=a dbname=two user=ann")
    }

    @Test(
        "A string that cannot be used is refused without being quoted",
        arguments: [
            "postgresql://ann:s3cret@db:notaport/x", "postgresql://ann:s3c%zzret@db/x", "host=db password=s3 cret",
            "host=db s3cret", "postgresql://ann:pa@s3cret@db/x", "host=a,b,c port=1,2 password=s3cret",
            "host=a,b hostaddr=10.0.0.1 password=s3cret", "host=a target_session_attrs=s3cret",
            "host=a connect_timeout=s3cret", "service=s3cret", "host=a password='s3cret",
            "host=a port=70000 password=s3cret",
        ]
    )
    func refused(text: String) {
        let error = #expect(throws: PostgresError.self) { try PostgresConfiguration(connectionString: text) }
        #expect(error?.kind == .configuration)
        #expect(error.map { !"\($0)".contains("cret") } ?? false)
    }

    @Test("Neither printing nor dumping shows the password")
    func printing() throws {
        let configuration = try PostgresConfiguration(connectionString: "host=a user=ann password=s3cret")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(!text.contains("s3cret"))
        }
    }
}
