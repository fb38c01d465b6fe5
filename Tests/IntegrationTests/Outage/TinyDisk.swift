//
// TinyDisk.swift: a file system of a megabyte for files of the test's own process.
//

import Foundation
import Glibc
import TestSupport

/// Mounted for the time of a test.
final class TinyDisk {
    let folder: String
    private var filler: String { folder + "/filler" }

    /// Nil where this process may not mount one.
    init?() {
        folder = TestFolder.new()
        mkdir(folder, 0o755)
        guard geteuid() == 0, Self.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder) else {
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
        let block = [UInt8](repeating: 0, count: 4096)
        while write(file, block, block.count) > 0 {}
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
