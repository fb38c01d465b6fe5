//
// FileInterest.swift: which names in which directories can change what a path pattern stands for.
//
// A path is walked part by part, as the kernel would, and every place where another entry would lead elsewhere is
// noted: the file itself, a part that does not exist yet, a link on the way and what it points to. So a directory made
// later is seen, and so is a Kubernetes config map, whose files point through a link that is renamed over.
//

import Glibc

/// Names, as patterns, by directory; the directories exist and are free of links.
struct FileInterest: Sendable, Equatable {
    private(set) var names: [String: Set<String>] = [:]

    /// The kernel's own limit.
    private static let linksMax = 40

    var directories: some Collection<String> { names.keys }

    func covers(_ directory: String, _ name: String) -> Bool {
        guard let patterns = names[directory] else { return false }
        return patterns.contains(name)
            || patterns.contains { FilePattern.hasMagic($0) && FilePattern.matches($0, name) }
    }

    /// Adds everything that a pattern depends on.
    mutating func add(_ pattern: String) {
        var links = 0
        guard pattern.hasPrefix("/") else {
            guard let here = realPath(".") else { return }
            return follow(here, Self.parts(pattern)[...], &links)
        }
        follow("/", Self.parts(pattern)[...], &links)
    }

    private static func parts(_ path: String) -> [String] { path.split(separator: "/").map(String.init) }

    private static func join(_ directory: String, _ name: String) -> String {
        directory == "/" ? "/\(name)" : "\(directory)/\(name)"
    }

    /// - Parameter directory: Exists and is free of links.
    private mutating func follow(_ directory: String, _ parts: ArraySlice<String>, _ links: inout Int) {
        guard let part = parts.first, links <= Self.linksMax else { return }
        let rest = parts.dropFirst()
        switch part {
        case ".": return follow(directory, rest, &links)
        case "..":
            let parent = directory.lastIndex(of: "/").map { String(directory[..<$0]) } ?? ""
            return follow(parent.isEmpty ? "/" : parent, rest, &links)
        default: break
        }
        guard !FilePattern.hasMagic(part) else {
            names[directory, default: []].insert(part)
            for (name, kind) in Self.entries(of: directory) where FilePattern.matches(part, name) {
                if kind == .link || (kind == .directory && !rest.isEmpty) { step(directory, name, kind, rest, &links) }
            }
            return
        }
        let kind = Self.kind(of: Self.join(directory, part))
        // A directory that exists is watched itself; that it goes away is seen there.
        if kind != .directory || rest.isEmpty { names[directory, default: []].insert(part) }
        step(directory, part, kind, rest, &links)
    }

    private mutating func step(
        _ directory: String, _ name: String, _ kind: Kind, _ rest: ArraySlice<String>, _ links: inout Int
    ) {
        switch kind {
        case .directory: follow(Self.join(directory, name), rest, &links)
        case .link:
            links += 1
            guard let target = linkTarget(Self.join(directory, name)) else { return }
            follow(target.hasPrefix("/") ? "/" : directory, (Self.parts(target) + rest)[...], &links)
        case .file, .none: break
        }
    }

    // MARK: The file system

    private enum Kind { case directory, link, file, none }

    private static func kind(of path: String) -> Kind {
        var status = stat()
        guard lstat(path, &status) == 0 else { return .none }
        return switch status.st_mode & S_IFMT {
        case S_IFDIR: .directory
        case S_IFLNK: .link
        default: .file
        }
    }

    private static func entries(of directory: String) -> [(String, Kind)] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var found: [(String, Kind)] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: Int(entry.pointee.d_reclen)) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            let kind: Kind =
                switch Int(entry.pointee.d_type) {
                case Int(DT_DIR): .directory
                case Int(DT_LNK): .link
                case Int(DT_REG): .file
                default: Self.kind(of: join(directory, name))
                }
            found.append((name, kind))
        }
        return found
    }
}

/// The path free of links. Nil when it leads nowhere.
func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
}

private func linkTarget(_ path: String) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX) + 1) { buffer in
        guard let base = buffer.baseAddress else { return nil }
        let count = readlink(path, base, Int(PATH_MAX))
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
