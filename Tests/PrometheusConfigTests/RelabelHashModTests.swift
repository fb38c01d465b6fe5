import Testing

@testable import PrometheusConfig

/// Goal: `hashmod` shards as Prometheus does.
///
/// Method: digests of RFC 1321 and lengths around the edges of MD5's blocks, made with md5sum.
@Suite struct RelabelHashModTests {
    static let digests: [(text: String, lowerHalf: UInt64)] = [
        ("", 0xE980_0998_ECF8_427E),
        ("a", 0x31C3_99E2_6977_2661),
        ("abc", 0xD696_3F7D_28E1_7F72),
        ("message digest", 0x525A_2F31_AAF1_61D0),
        ("abcdefghijklmnopqrstuvwxyz", 0x7DFB_496C_CA67_E13B),
        (String(repeating: "x", count: 55), 0xD958_A707_38AA_8F72),
        (String(repeating: "x", count: 56), 0x62DA_BCAF_AD6D_B14B),
        (String(repeating: "x", count: 63), 0x0356_7BDF_F99D_8981),
        (String(repeating: "x", count: 64), 0x7947_682A_EB25_2456),
        (String(repeating: "x", count: 65), 0xBDEC_3979_5FE0_0CF6),
        (String(repeating: "x", count: 119), 0xCFCD_DC63_3F12_C24F),
        (String(repeating: "x", count: 120), 0x2620_B64F_46E1_C5B5),
        (String(repeating: "x", count: 1000), 0x64B1_F64C_B10C_4B63),
    ]

    @Test("The last 8 bytes of the digest, big endian", arguments: digests)
    func lowerHalf(_ text: String, _ expected: UInt64) {
        #expect(Array(text.utf8).withUnsafeBytes { MD5.lowerHalf(of: $0) } == expected)
    }

    @Test("The specification's known values")
    func knownValues() {
        func remainder(_ text: String, _ modulus: UInt64) -> UInt64 {
            Array(text.utf8).withUnsafeBytes { MD5.lowerHalf(of: $0) } % modulus
        }
        #expect(remainder("baz", 1000) == 976)
        #expect(remainder("foo;bar", 8) == 6)
        #expect(remainder("", 97) == 43)
        #expect(remainder("foo\nbar", 1000) == 734)
    }
}
