//
// TemporaryFile.swift: bytes behind a descriptor.
//

import Glibc

enum TemporaryFile {
    /// Runs `body` with a descriptor at the beginning of these bytes.
    static func with<Value>(_ bytes: [UInt8], _ body: (Int32) throws -> Value) throws -> Value {
        var template = Array("/tmp/bytes-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        precondition(file >= 0, "no temporary file: \(errno)")
        unlink(template)
        defer { close(file) }
        var start = 0
        while start < bytes.count {
            let count = bytes[start...].withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            precondition(count > 0, "not written: \(errno)")
            start += count
        }
        lseek(file, 0, SEEK_SET)
        return try body(file)
    }
}
