//
// TinyDisk.swift: a small file system that a test can fill.
//

import Foundation
import Glibc
import TestSupport

/// Mounted for the time of a test.
final class TinyDisk: Sendable {
    let folder: String
    private var filler: String { folder + "/filler" }

    /// Whether this process may mount one: as root, and not in every container.
    static let isPossible = TinyDisk(bytes: 1 << 12) != nil

    /// Nil where this process may not mount one.
    init?(bytes: Int = 1 << 20) {
        folder = TestFolder.new()
        mkdir(folder, 0o755)
        guard geteuid() == 0, Self.run("mount", "-t", "tmpfs", "-o", "size=\(bytes)", "tmpfs", folder) else {
            rmdir(folder)
            return nil
        }
    }

    deinit {
        _ = Self.run("umount", "-l", folder)
        rmdir(folder)
    }

    /// Leaves no byte.
    func fill() {
        let file = open(filler, O_WRONLY | O_CREAT, 0o600)
        defer { close(file) }
        for size in [1 << 16, 1 << 12, 1] {
            let block = [UInt8](repeating: 0, count: size)
            while write(file, block, size) > 0 {}
        }
    }

    func makeRoom() { unlink(filler) }

    private static func run(_ arguments: String...) -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
