// swift-tools-version: 6.2
//
// Package.swift: the modules of Target Ledger and who may import whom. Imports point down the layers, never up or
// sideways:
//
//     6  TargetLedger                          TargetLedgerBenchmark
//     5  AllocatorAPI
//     4  AllocatorRuntime
//     3  Discovery                             AllocationLedger
//     2  PrometheusConfig                      EmbeddedPostgres
//     1  HTTPTransport      AllocationCore     PostgresDriver     Telemetry
//     0  CLibcurl           CRE2               CLibpq             CSys         CZlib
//

import PackageDescription

let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let asyncAlgorithms = Target.Dependency.product(name: "AsyncAlgorithms", package: "swift-async-algorithms")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1 = Target.Dependency.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")

let package = Package(
    name: "target-ledger",
    products: [
        .executable(name: "target-ledger", targets: ["TargetLedger"]),
        .executable(name: "target-ledger-benchmark", targets: ["TargetLedgerBenchmark"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // 0: thin shims over the system libraries and the few calls that Swift cannot make.
        .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CLibcurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "CCurlShim", dependencies: ["CLibcurl"]),
        .target(
            name: "CRE2",
            cxxSettings: [.define("NDEBUG", .when(configuration: .release))],
            linkerSettings: [.linkedLibrary("re2"), .linkedLibrary("stdc++")]
        ),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CSys"),
        // Counts allocations; linked into the benchmark only, since it stands before malloc.
        .target(name: "CAllocationCount"),

        // 1
        .target(name: "AllocationCore"),
        .target(name: "PostgresDriver", dependencies: ["CLibpq", "CSys", log], exclude: ["README.md"]),
        .target(name: "HTTPTransport", dependencies: ["CLibcurl", "CCurlShim"]),
        .target(name: "Telemetry", dependencies: [log, coreMetrics, metrics]),

        // 2
        .target(name: "PrometheusConfig", dependencies: ["AllocationCore", "CRE2", yams]),
        .target(name: "EmbeddedPostgres", dependencies: ["CSys", log]),

        // 3
        .target(
            name: "Discovery",
            dependencies: ["AllocationCore", "PrometheusConfig", "HTTPTransport", "CSys", log, metrics, yams],
            exclude: ["README.md"]
        ),
        .target(
            name: "AllocationLedger",
            dependencies: ["AllocationCore", "PostgresDriver", log, metrics, crypto],
            exclude: ["README.md"],
            plugins: ["EmbedMigrations"]
        ),

        // 4
        .target(
            name: "AllocatorRuntime",
            dependencies: [
                "AllocationCore", "AllocationLedger", "Discovery", "HTTPTransport", "PrometheusConfig",
                "PostgresDriver",
                "Telemetry", log, coreMetrics, metrics, lifecycle, yams, asyncAlgorithms,
            ]
        ),

        // 5
        .target(
            name: "AllocatorAPI",
            dependencies: [
                "AllocationCore", "AllocationLedger", "AllocatorRuntime", "PrometheusConfig", "Telemetry", "CZlib",
                "PostgresDriver", log, metrics, hummingbird, hummingbirdCore, httpTypes, nioCore, nioPosix, nioHTTP1,
                nioHTTPTypes, lifecycle, crypto, asyncAlgorithms,
            ]
        ),

        // 6
        .executableTarget(
            name: "TargetLedger",
            dependencies: [
                "AllocationCore", "AllocationLedger", "AllocatorAPI", "AllocatorRuntime", "Discovery",
                "EmbeddedPostgres", "HTTPTransport", "PostgresDriver", "PrometheusConfig", "Telemetry", "CSys",
                arguments, log, coreMetrics, metrics, lifecycle, signals,
            ]
        ),
        .executableTarget(
            name: "TargetLedgerBenchmark",
            dependencies: [
                "AllocationCore", "AllocationLedger", "AllocatorAPI", "AllocatorRuntime", "Discovery",
                "EmbeddedPostgres", "PostgresDriver", "PrometheusConfig", "Telemetry", "CAllocationCount", "CSys",
                arguments, log, nioCore,
            ]
        ),

        // Writes migrations/*.sql into the binary, so that the deployed executable needs no file beside it.
        .executableTarget(name: "embed-migrations", path: "Sources/EmbedMigrationsTool"),
        .plugin(
            name: "EmbedMigrations", capability: .buildTool(), dependencies: ["embed-migrations"],
            path: "Sources/EmbedMigrationsPlugin"
        ),

        // Tests: pure modules.
        .target(
            name: "TestSupport", dependencies: ["EmbeddedPostgres", "PostgresDriver", "CSys", log],
            path: "Tests/TestSupport"
        ),
        .testTarget(name: "AllocationCoreTests", dependencies: ["AllocationCore"], resources: [.copy("Fixtures")]),
        .testTarget(
            name: "PrometheusConfigTests", dependencies: ["PrometheusConfig", "AllocationCore"],
            resources: [.copy("Fixtures")]
        ),
        .testTarget(name: "PostgresDriverTests", dependencies: ["PostgresDriver"]),
        .testTarget(
            name: "DiscoveryTests", dependencies: ["Discovery", "AllocationCore", "PrometheusConfig", "HTTPTransport"],
            resources: [.copy("Fixtures")]
        ),
        .testTarget(
            name: "AllocationLedgerTests",
            dependencies: ["TestSupport", "AllocationLedger", "AllocationCore", "PostgresDriver"]),
        // Whole clusters in one process, from one seed each.
        .testTarget(
            name: "SimulationTests",
            dependencies: ["TestSupport", "AllocatorRuntime", "AllocationCore", "AllocationLedger", "PostgresDriver"]
        ),
        .testTarget(
            name: "AllocatorRuntimeTests",
            dependencies: [
                "TestSupport", "AllocatorRuntime", "AllocationCore", "AllocationLedger", "Discovery", "PostgresDriver",
                "PrometheusConfig", "Telemetry", log,
            ]
        ),
        .testTarget(
            name: "AllocatorAPITests",
            dependencies: [
                "AllocatorAPI", "AllocatorRuntime", "AllocationCore", "AllocationLedger", "PostgresDriver", "Telemetry",
                httpTypes, nioCore, nioEmbedded, nioHTTP1, nioHTTPTypes, nioHTTPTypesHTTP1,
            ]
        ),
        .testTarget(name: "TelemetryTests", dependencies: ["Telemetry", log, coreMetrics, metrics]),
        // Tests: what needs PostgreSQL, a socket, or the built executable.
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "TestSupport", "AllocationCore", "AllocationLedger", "AllocatorAPI", "AllocatorRuntime", "Discovery",
                "EmbeddedPostgres", "HTTPTransport", "PostgresDriver", "PrometheusConfig", "TargetLedger", "Telemetry",
                "CSys", arguments, log, lifecycle, nioCore, nioPosix,
            ],
            resources: [.copy("Fixtures")]
        ),
    ],
    cxxLanguageStandard: .cxx17
)

// One loop, so that no module is held to less. SE-0335: `any` is spelled; SE-0444: a member needs its module's import.
for target in package.targets where ![.system, .plugin].contains(target.type) {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .treatAllWarnings(as: .error),
    ]
}

// The optimiser makes a seed of the simulation several times faster. It need not take the other tests for that, and refuses
// what is above the simulation when that can be tested ("circular reference", Swift 6.3).
if Context.environment["TARGET_LEDGER_TESTS"] == "simulation" {
    let above = ["AllocatorAPI", "TargetLedger", "TargetLedgerBenchmark"]
    package.products = []
    package.targets.removeAll { above.contains($0.name) || $0.type == .test && $0.name != "SimulationTests" }
}
