//
// LoggingConfiguration.swift: what upstream's `--zap-…` flags ask for.
//

import Logging
import PrometheusConfig
import Telemetry

/// Form and detail of the log.
package struct LoggingConfiguration: Sendable {
    package var format = LogFormat()
    package var level: Logger.Level = .info

    package init() {}

    init(_ values: SettingValues) throws(ConfigurationError) {
        // For development zap logs for people and in detail, unless told otherwise.
        let isDevelopment = try values.boolean(.zapDevelopment)
        format.encoder = isDevelopment ? .console : .json
        level = isDevelopment ? .debug : .info
        if values[.zapEncoder] != nil, let encoder = try values.text(.zapEncoder).flatMap(LogFormat.Encoder.init) {
            format.encoder = encoder
        }
        if let time = try values.text(.zapTimeEncoding).flatMap(LogFormat.TimeEncoding.init) {
            format.timeEncoding = time
        }
        if values[.zapLevel] != nil {
            guard let level = try values.text(.zapLevel).flatMap(LogFormat.level) else {
                throw values.refusal(.zapLevel, "expected debug, info, warn, error, panic or a whole number above 0")
            }
            self.level = level
        }
    }
}
