//
// CheckpointKeyFile.swift: the file with the key that signs checkpoints.
//
// Whoever has the key can sign another history, so a file that others can read is refused, as SSH does.
//

import Glibc

/// Why the file with the key cannot be used.
package struct CheckpointKeyError: Error, Sendable, Hashable, CustomStringConvertible {
    package var path: String
    package var problem: String

    package var description: String { "checkpoint key \(path): \(problem)" }
}

package enum CheckpointKeyFile {
    private static let bytesMax = 4096

    /// Reads the key.
    package static func read(_ path: String) throws(CheckpointKeyError) -> NoteSigner {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw CheckpointKeyError(path: path, problem: String(cString: strerror(errno))) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else {
            throw CheckpointKeyError(path: path, problem: String(cString: strerror(errno)))
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw CheckpointKeyError(path: path, problem: "is not a file")
        }
        // A group may read: Kubernetes hands secrets to a pod's group so. Nobody else may do anything.
        guard status.st_mode & 0o027 == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw CheckpointKeyError(
                path: path,
                problem:
                    "others can read or change it (mode \(mode)); allowed is 600, or 640 for a group; run: chmod 600")
        }
        var bytes = [UInt8](repeating: 0, count: bytesMax)
        let count = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw CheckpointKeyError(path: path, problem: String(cString: strerror(errno))) }
        guard count < bytesMax else {
            throw CheckpointKeyError(path: path, problem: "is longer than a key")
        }
        do {
            return try NoteSigner(String(decoding: bytes[..<count], as: UTF8.self))
        } catch {
            throw CheckpointKeyError(path: path, problem: error.description)
        }
    }

    /// Makes a key in a new file that only its owner can read.
    package static func create(_ path: String, name: String) throws -> NoteSigner {
        let key = try NoteSigner(newFor: name)
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw CheckpointKeyError(path: path, problem: String(cString: strerror(errno))) }
        defer { close(file) }
        let bytes = Array("\(key.secretText)\n".utf8)
        let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        guard count == bytes.count, fsync(file) == 0 else {
            let problem = String(cString: strerror(errno))
            unlink(path)
            throw CheckpointKeyError(path: path, problem: problem)
        }
        return key
    }
}
