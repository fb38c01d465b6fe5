//
// ConfigurationFile.swift: reads the configuration file's text, or says why it cannot.
//

import Glibc
import PrometheusConfig

enum ConfigurationFile {
    /// Far more than 8,000 jobs need; a wrong path such as a device must not fill the memory.
    private static let bytesMax = 256 << 20

    /// - Returns: nil when there is no such file and there need not be one.
    /// - Throws: ``ConfigurationError`` naming the file and the system's reason.
    static func read(_ path: String, mayBeMissing: Bool) throws(ConfigurationError) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT, mayBeMissing { return nil }
            throw failure(path, "cannot be opened: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { break }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw failure(path, "cannot be read: \(String(cString: strerror(errno)))")
            }
            bytes.append(contentsOf: chunk.prefix(count))
            guard bytes.count <= bytesMax else { throw failure(path, "is longer than \(bytesMax >> 20) MiB") }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw failure(path, "is not UTF-8") }
        return text
    }

    private static func failure(_ path: String, _ problem: String) -> ConfigurationError {
        ConfigurationError(file: path, kind: .invalid, problem: problem)
    }
}
