import AllocatorRuntime
import PrometheusConfig
import Testing

/// Goal: it is never in doubt which database is written to.
@Suite struct DatabaseSourceTests {
    private static let embedded = "ledger: {embedded: {data_directory: /srv/d}}"
    private static let url = "ledger: {database_url: 'postgresql://file/x'}"

    @Test(
        "The strongest source names the database",
        arguments: [
            ("{}", [:], [:], .embedded(dataDirectory: "./data", binariesDirectory: nil)),
            (embedded, [:], [:], .embedded(dataDirectory: "/srv/d", binariesDirectory: nil)),
            (url, [:], [:], .url("postgresql://file/x")),
            (embedded, [:], ["DATABASE_URL": "postgresql://env/x"], .url("postgresql://env/x")),
            (
                url, [:], ["DATABASE_URL": "postgresql://env/x", "TARGET_LEDGER_DATABASE_URL": "postgresql://own/x"],
                .url("postgresql://own/x")
            ),
            (
                url, [.dataDirectory: "/f"], ["DATABASE_URL": "postgresql://env/x"],
                .embedded(dataDirectory: "/f", binariesDirectory: nil)
            ),
            (embedded, [.databaseURL: "host=h"], [:], .url("host=h")),
            ("{}", [:], ["PGHOST": "h"], .environment),
            ("{}", [:], ["PGUSER": "u"], .embedded(dataDirectory: "./data", binariesDirectory: nil)),
            (embedded, [:], ["PGHOST": "h"], .embedded(dataDirectory: "/srv/d", binariesDirectory: nil)),
            (
                "ledger: {embedded: {}}", [:], ["PGHOST": "h"],
                .embedded(dataDirectory: "./data", binariesDirectory: nil)
            ),
            ("{}", [:], ["DATABASE_URL": ""], .embedded(dataDirectory: "./data", binariesDirectory: nil)),
        ] as [(String, [Setting: String], [String: String], DatabaseSource)])
    func strongest(
        file: String, flags: [Setting: String], environment: [String: String], expected: DatabaseSource
    ) throws {
        let fixture = try ConfigurationFixture(file)
        #expect(try DatabaseSource(fixture.sources(flags: flags, environment: environment)) == expected)
    }

    @Test("History can be read while the rest of the file is broken, or absent")
    func brokenRest() throws {
        let fixture = try ConfigurationFixture("config: 7\nledger: {rnig: 1, database_url: host=h}")
        #expect(try DatabaseSource(fixture.sources()) == .url("host=h"))
        #expect(
            try DatabaseSource(ConfigurationSources(environment: ["DATABASE_URL": "host=h"], fileIsOptional: true))
                == .url("host=h"))
    }
}
