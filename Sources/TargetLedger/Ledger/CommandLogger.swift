//
// CommandLogger.swift: what goes wrong underneath a command, in plain lines on standard error.
//

import Logging
import Telemetry

extension Logger {
    /// For commands that end: only what a person has to know.
    static func forCommand(_ level: Logger.Level = .warning) -> Logger {
        let format = LogFormat(encoder: .console)
        let output = LogOutput()
        return Logger(label: "") { label in
            LineLogHandler(label: label, level: level, format: format, output: output)
        }
    }
}
