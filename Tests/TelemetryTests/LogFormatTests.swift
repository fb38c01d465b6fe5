//
// LogFormatTests.swift
//

import Logging
import Telemetry
import Testing

/// Goal: log lines are upstream's, byte for byte where upstream fixes a byte.
///
/// Method: a made-up instant, whole lines compared.
@Suite struct LogFormatTests {
    private let time = UTCTime(secondsSince1970: 1_795_144_320, nanoseconds: 7_654_321)

    private func line(
        _ format: LogFormat, _ level: Logger.Level = .info, logger: String = "", _ message: String = "m",
        _ fields: Logger.Metadata = [:]
    ) -> String {
        let bytes = format.line(level: level, time: time, logger: logger, message: message, fields: fields)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func jsonLinesHaveUpstreamsKeysInOrder() {
        #expect(
            line(
                LogFormat(timeEncoding: .rfc3339), .error, logger: "allocator", "quote \" tab \t end\u{1}",
                ["b": "x", "a": .stringConvertible(3), "ok": .stringConvertible(true), "level": "mine"])
                == #"{"level":"error","ts":"2026-11-20T03:12:00Z","logger":"allocator","msg":"quote \" tab \t end\u0001","#
                + #""a":3,"b":"x","_level":"mine","ok":true}"# + "\n")
    }

    @Test func nestedFieldsAreJSON() {
        #expect(
            line(LogFormat(), .debug, "m", ["list": ["x", .stringConvertible(1.5)], "map": ["k": ["v"]]])
                == #"{"level":"debug","ts":"2026-11-20T03:12:00.007Z","msg":"m","list":["x",1.5],"map":{"k":["v"]}}"#
                + "\n")
    }

    @Test func consoleLinesHaveTabsAndStayOneLine() {
        #expect(
            line(LogFormat(encoder: .console, timeEncoding: .rfc3339), .warning, logger: "l", "a\nb", ["k": "v"])
                == "2026-11-20T03:12:00Z\tWARN\tl\ta\\nb\t{\"k\":\"v\"}\n")
    }

    @Test(arguments: [
        (LogFormat.TimeEncoding.epoch, "1795144320.007654"), (.millis, "1795144320007"),
        (.nano, "1795144320007654321"), (.iso8601, "\"2026-11-20T03:12:00.007Z\""),
        (.rfc3339nano, "\"2026-11-20T03:12:00.007654321Z\""),
    ])
    func timeEncodings(encoding: LogFormat.TimeEncoding, expected: String) {
        #expect(
            line(LogFormat(timeEncoding: encoding)) == #"{"level":"info","ts":"# + expected + #","msg":"m"}"# + "\n")
    }

    @Test(arguments: [
        ("debug", Logger.Level.debug), ("info", .info), ("error", .error), ("panic", .critical), ("1", .debug),
        ("4", .trace), ("0", nil), ("loud", nil),
    ])
    func levelNames(name: String, level: Logger.Level?) {
        #expect(LogFormat.level(named: name) == level)
    }

    @Test func httpDatesAreRFC9110() {
        #expect(time.httpDate == "Fri, 20 Nov 2026 03:12:00 GMT")
    }
}
