//
// FileStatus.swift: what the file system says of a file, and how its bytes are read.
//

import Glibc

/// Why files could not be taken.
package enum FileDiscoveryError: Error, Sendable, Equatable, CustomStringConvertible {
    case unreadable(path: String, code: Int32)
    case tooLarge(path: String, bytes: Int, bytesMax: Int)
    case notAFile(path: String)
    case malformedPattern(String)
    case malformed(path: String, GroupSyntaxError)

    package var description: String {
        switch self {
        case .unreadable(let path, _), .tooLarge(let path, _, _), .notAFile(let path), .malformedPattern(let path),
            .malformed(let path, _):
            "\(path): \(detail)"
        }
    }

    /// Without the path, for a message that names it already.
    var detail: String {
        switch self {
        case .unreadable(_, let code): String(cString: strerror(code))
        case .tooLarge(_, let bytes, let bytesMax): "\(bytes) bytes, more than the limit of \(bytesMax)"
        case .notAFile: "not a regular file"
        case .malformedPattern: "malformed pattern"
        case .malformed(_, let error): "\(error)"
        }
    }

    /// The file is not there, which means its groups are gone, and is no fault.
    var isMissing: Bool {
        if case .unreadable(_, let code) = self { code == ENOENT || code == ENOTDIR } else { false }
    }
}

/// Tells one content of a file from another without reading it.
struct FileStatus: Sendable, Equatable {
    var device: UInt64
    var inode: UInt64
    var bytes: Int
    var modifiedNanoseconds: Int64
    var changedNanoseconds: Int64
    var isRegular: Bool

    /// Of the file behind `path`, links followed. Nil when there is none.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    private init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        bytes = Int(status.st_size)
        modifiedNanoseconds = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
        changedNanoseconds = Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
        isRegular = status.st_mode & S_IFMT == S_IFREG
    }

    var modifiedSeconds: Double { Double(modifiedNanoseconds) / 1e9 }

    /// Reads a whole file and hands its bytes out. Blocks.
    ///
    /// - Returns: What `body` made of it, and the status of exactly the file that was read.
    static func withBytes<T>(
        of path: String, bytesMax: Int, _ body: (UnsafeRawBufferPointer) throws(FileDiscoveryError) -> T
    ) throws(FileDiscoveryError) -> (T, FileStatus) {
        // Non-blocking: a pipe where a file is expected must not hold the thread.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .unreadable(path: path, code: errno) }
        defer { close(descriptor) }
        var raw = stat()
        guard fstat(descriptor, &raw) == 0 else { throw .unreadable(path: path, code: errno) }
        let status = FileStatus(raw)
        guard status.isRegular else { throw .notAFile(path: path) }
        guard status.bytes <= bytesMax else {
            throw .tooLarge(path: path, bytes: status.bytes, bytesMax: bytesMax)
        }
        // One byte more than the size, so that the end of the file shows without another allocation.
        var capacity = status.bytes + 1
        var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
        defer { buffer.deallocate() }
        var count = 0
        while true {
            let got = read(descriptor, buffer.baseAddress.unsafelyUnwrapped + count, capacity - count)
            if got < 0 {
                if errno == EINTR { continue }
                throw .unreadable(path: path, code: errno)
            }
            if got == 0 { break }
            count += got
            guard count == capacity else { continue }
            // It grew while it was read.
            guard count <= bytesMax else { throw .tooLarge(path: path, bytes: count, bytesMax: bytesMax) }
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity * 2, alignment: 16)
            larger.copyMemory(from: UnsafeRawBufferPointer(buffer))
            buffer.deallocate()
            buffer = larger
            capacity *= 2
        }
        return (try body(UnsafeRawBufferPointer(rebasing: buffer[..<count])), status)
    }
}
