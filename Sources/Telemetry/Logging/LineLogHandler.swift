//
// LineLogHandler.swift: swift-log's backend.
//

import Logging

/// Writes each event as one line.
package struct LineLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let format: LogFormat
    private let output: LogOutput

    /// - Parameter label: Shown as `logger`; empty leaves it out.
    package init(label: String, level: Logger.Level, format: LogFormat, output: LogOutput) {
        self.label = label
        self.format = format
        self.output = output
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { $1 } }
        if let given = event.metadata { fields.merge(given) { $1 } }
        if let error = event.error { fields["error"] = .string("\(error)") }
        output.write(
            format.line(
                level: event.level, time: .now(), logger: label, message: event.message.description, fields: fields))
    }
}
