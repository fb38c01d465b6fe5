//
// LogFormat.swift: log lines as upstream writes them, so that whoever reads them need not change.
//
// Source: spec/target-allocator.md 3.2 (zap's flags and its JSON line). Errors carry `error`; Swift has no stack trace
// to give, so `stacktrace` is left out.
//

import Logging

/// How a log event becomes one line.
package struct LogFormat: Sendable {
    /// `--zap-encoder`.
    package enum Encoder: String, Sendable, CaseIterable {
        case json, console
    }

    /// `--zap-time-encoding`; `milliseconds` is what is written when nothing is asked for.
    package enum TimeEncoding: String, Sendable, CaseIterable {
        case epoch, millis, nano, iso8601, rfc3339, rfc3339nano, milliseconds
    }

    package var encoder: Encoder
    package var timeEncoding: TimeEncoding

    package init(encoder: Encoder = .json, timeEncoding: TimeEncoding = .milliseconds) {
        self.encoder = encoder
        self.timeEncoding = timeEncoding
    }

    /// The level that `--zap-log-level` names: `debug`, `info`, `warn`, `error`, `panic`, or a verbosity above 0.
    package static func level(named name: String) -> Logger.Level? {
        switch name.lowercased() {
        case "debug", "1": .debug
        case "info": .info
        case "warn", "warning": .warning
        case "error": .error
        case "panic": .critical
        default: Int(name).flatMap { $0 > 1 ? .trace : nil }
        }
    }

    /// One line with its newline.
    ///
    /// - Parameters:
    ///   - logger: The logger's label; left out when empty.
    ///   - fields: Everything besides the message.
    package func line(
        level: Logger.Level, time: UTCTime, logger: String, message: String, fields: Logger.Metadata
    ) -> [UInt8] {
        switch encoder {
        case .json: jsonLine(level, time, logger, message, fields)
        case .console: consoleLine(level, time, logger, message, fields)
        }
    }

    private func jsonLine(
        _ level: Logger.Level, _ time: UTCTime, _ logger: String, _ message: String, _ fields: Logger.Metadata
    ) -> [UInt8] {
        var line = LogJSON()
        line.raw(#"{"level":""#)
        line.raw(Self.zapName(level))
        line.raw(#"","ts":"#)
        timeEncoding.isNumber ? line.raw(timeEncoding.text(time)) : line.string(timeEncoding.text(time))
        if !logger.isEmpty {
            line.raw(#","logger":"#)
            line.string(logger)
        }
        line.raw(#","msg":"#)
        line.string(message)
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            line.raw(",")
            // A field must not stand in for what the line says of itself.
            line.string(Self.ownKeys.contains(key) ? "_" + key : key)
            line.raw(":")
            line.value(value)
        }
        line.raw("}\n")
        return line.bytes
    }

    private func consoleLine(
        _ level: Logger.Level, _ time: UTCTime, _ logger: String, _ message: String, _ fields: Logger.Metadata
    ) -> [UInt8] {
        var line = LogJSON()
        line.raw(timeEncoding.text(time))
        line.raw("\t\(Self.zapName(level).uppercased())\t")
        if !logger.isEmpty { line.raw(logger + "\t") }
        // A line break inside a message must not look like another event.
        line.raw(message.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\n"))
        if !fields.isEmpty {
            line.raw("\t")
            line.value(.dictionary(fields))
        }
        line.raw("\n")
        return line.bytes
    }

    private static let ownKeys: Set<String> = ["level", "ts", "logger", "msg"]

    private static func zapName(_ level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "debug"
        case .info, .notice: "info"
        case .warning: "warn"
        case .error, .critical: "error"
        }
    }
}

extension LogFormat.TimeEncoding {
    fileprivate var isNumber: Bool { self == .epoch || self == .millis || self == .nano }

    fileprivate func text(_ time: UTCTime) -> String {
        switch self {
        case .epoch: "\(Double(time.secondsSince1970) + Double(time.nanoseconds / 1000) / 1e6)"
        case .millis: "\(time.secondsSince1970 * 1000 + time.nanoseconds / 1_000_000)"
        case .nano: "\(time.secondsSince1970 * 1_000_000_000 + time.nanoseconds)"
        case .rfc3339: time.rfc3339(fractionDigits: 0)
        case .iso8601, .milliseconds: time.rfc3339(fractionDigits: 3)
        case .rfc3339nano: time.rfc3339(fractionDigits: 9)
        }
    }
}
