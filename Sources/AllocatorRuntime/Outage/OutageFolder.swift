//
// OutageFolder.swift: the files that let a process serve, and go on, without the database: the last state and the journal.
//
// Writing waits for the disk, so all of it happens on a thread of its own and never on the shared pool. The folder belongs to
// one process at a time.
//

import AllocationCore
import AllocationLedger
import CSys
import Glibc
import PostgresDriver

/// A file or folder that cannot be used.
package struct OutageFolderError: Error, Sendable, CustomStringConvertible {
    package var description: String

    init(_ what: String, _ path: String, _ code: Int32 = errno) {
        description = "cannot \(what) \(path): \(String(cString: strerror(code)))"
    }
}

/// The folder, open and locked.
package actor OutageFolder {
    package nonisolated let path: String
    private var lock: Int32
    private var journal: Int32 = -1
    private var journalBytes: Int64 = 0

    private static let executor = PollExecutor(name: "ledger-files")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { Self.executor.asUnownedSerialExecutor() }

    private nonisolated var statePath: String { path + "/state" }
    private nonisolated var journalPath: String { path + "/journal" }
    private static let archivePrefix = "journal."

    /// A journal that is larger takes no more: that is a million moves of targets with forty labels.
    static let journalBytesMax: Int64 = 1 << 30

    /// Makes the folder where there is none, for this user alone, and takes its lock.
    ///
    /// - Throws: ``OutageFolderError``: not writable, or another process has it.
    package init(path: String) throws(OutageFolderError) {
        self.path = path
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw OutageFolderError("make the folder", path) }
        let lock = open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw OutageFolderError("write in", path) }
        let failure = csys_lock_exclusively(lock)
        guard failure == 0 else {
            Glibc.close(lock)
            throw OutageFolderError("use (another process does)", path, failure)
        }
        self.lock = lock
    }

    isolated deinit { close() }

    /// Lets another process, or another of these, have the folder. Nothing may be asked of this one any more.
    func close() {
        if journal >= 0 { Glibc.close(journal) }
        if lock >= 0 { Glibc.close(lock) }
        (journal, lock) = (-1, -1)
    }

    // MARK: State

    /// The state that was kept last; nil when there is none.
    func state(into table: LabelTable) throws -> KeptState? {
        guard let bytes = try read(statePath) else { return nil }
        return try KeptState(bytes, into: table)
    }

    /// The revision of the state that was kept last, without a look at the rest; nil when there is none.
    func keptHead() throws -> LedgerHead? {
        let file = open(statePath, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return nil }
        defer { Glibc.close(file) }
        return KeptState.head(try bytes(0..<Int64(KeptState.headBytes), of: file))
    }

    /// Keeps a state in place of the one before. It is whole on disk before it takes its place.
    func keep(_ snapshot: AllocationSnapshot, ledTerm: Int64?) throws(OutageFolderError) {
        let bytes = KeptState(snapshot, ledTerm: ledTerm, savedAt: .now()).encoded(in: snapshot.table)
        let draft = statePath + ".new"
        let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw OutageFolderError("write", draft) }
        defer { Glibc.close(file) }
        guard Self.write(bytes, to: file), fdatasync(file) == 0 else {
            let error = OutageFolderError("write", draft)
            unlink(draft)
            throw error
        }
        guard rename(draft, statePath) == 0 else { throw OutageFolderError("replace", statePath) }
        synchronizeFolder()
    }

    // MARK: Journal

    /// What a process before this one has left of a journal, with what a crash cut off of its end taken away; nil: none.
    ///
    /// - Throws: ``JournalError``, ``OutageFolderError``.
    func openJournal() throws -> (journal: OutageJournal, contents: [Range<Int64>])? {
        let file = open(journalPath, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        if file < 0, errno == ENOENT { return nil }
        guard file >= 0 else { throw OutageFolderError("read", journalPath) }
        var status = stat()
        guard fstat(file, &status) == 0 else {
            Glibc.close(file)
            throw OutageFolderError("read", journalPath)
        }
        do {
            var scanner = JournalScanner(fileSize: Int64(status.st_size))
            scan: while true {
                switch scanner.step {
                case .read(let range): try scanner.take(try bytes(range, of: file))
                case .digest(let range): try scanner.take(contentDigest: Digest32.hash(try bytes(range, of: file)))
                case .end: break scan
                }
            }
            guard let journal = scanner.journal else {
                // Not even the beginning was written: nobody was served anything from it.
                Glibc.close(file)
                removeJournal()
                return nil
            }
            guard ftruncate(file, off_t(scanner.byteCount)) == 0 else { throw OutageFolderError("cut", journalPath) }
            self.journal = file
            journalBytes = scanner.byteCount
            return (journal, scanner.contents)
        } catch {
            if self.journal != file { Glibc.close(file) }
            throw error
        }
    }

    /// Begins a journal.
    func beginJournal(_ base: OutageJournal.Base) throws(OutageFolderError) {
        let file = open(journalPath, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw OutageFolderError("write", journalPath) }
        if journal >= 0 { Glibc.close(journal) }
        journal = file
        journalBytes = 0
        try append(JournalRecord.base(base).piece(after: .zero))
        synchronizeFolder()
    }

    /// Writes a piece behind the others, and returns when it is on the disk.
    ///
    /// - Returns: Where the file ends now.
    /// - Throws: ``OutageFolderError``; nothing of the piece counts then.
    @discardableResult
    func append(_ piece: [UInt8]) throws(OutageFolderError) -> Int64 {
        guard journal >= 0 else { throw OutageFolderError("write", journalPath, EBADF) }
        guard journalBytes + Int64(piece.count) <= Self.journalBytesMax else {
            throw OutageFolderError("write more than \(Self.journalBytesMax) bytes to", journalPath, EFBIG)
        }
        guard lseek(journal, off_t(journalBytes), SEEK_SET) >= 0, Self.write(piece, to: journal),
            fdatasync(journal) == 0
        else {
            let error = OutageFolderError("write", journalPath)
            _ = ftruncate(journal, off_t(journalBytes))
            throw error
        }
        journalBytes += Int64(piece.count)
        return journalBytes
    }

    /// The content of an entry.
    func content(_ range: Range<Int64>) throws(OutageFolderError) -> [UInt8] { try bytes(range, of: journal) }

    /// Forgets the journal: all of it is recorded.
    func removeJournal() {
        if journal >= 0 { Glibc.close(journal) }
        journal = -1
        unlink(journalPath)
        synchronizeFolder()
    }

    /// Puts the journal aside under its digest: what it holds is recorded as served, and is not in the ledger itself.
    ///
    /// - Returns: Where it is.
    func archiveJournal(_ tip: String) -> String {
        if journal >= 0 { Glibc.close(journal) }
        journal = -1
        let archive = path + "/" + Self.archivePrefix + tip
        rename(journalPath, archive)
        synchronizeFolder()
        return archive
    }

    /// The digests of journals that were put aside and are not older than that. No standby lacks what is older.
    func archivedJournals(youngerThan age: Duration) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var tips: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasPrefix(Self.archivePrefix) else { continue }
            var status = stat()
            guard stat(path + "/" + name, &status) == 0 else { continue }
            guard Duration.seconds(time(nil) - status.st_mtim.tv_sec) < age else { continue }
            tips.append(String(name.dropFirst(Self.archivePrefix.count)))
        }
        return tips
    }

    /// Makes a journal that was put aside the journal again, where there is none.
    ///
    /// - Returns: As ``openJournal()``.
    func takeBackJournal(_ tip: String) throws -> (journal: OutageJournal, contents: [Range<Int64>])? {
        guard journal < 0, access(journalPath, F_OK) != 0 else { return nil }
        let archive = path + "/" + Self.archivePrefix + tip
        guard rename(archive, journalPath) == 0 else { throw OutageFolderError("take back", archive) }
        synchronizeFolder()
        return try openJournal()
    }

    // MARK: Files

    private func synchronizeFolder() {
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        Glibc.close(folder)
    }

    private func read(_ path: String) throws(OutageFolderError) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        if file < 0, errno == ENOENT { return nil }
        guard file >= 0 else { throw OutageFolderError("read", path) }
        defer { Glibc.close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw OutageFolderError("read", path) }
        return try bytes(0..<Int64(status.st_size), of: file)
    }

    private func bytes(_ range: Range<Int64>, of file: Int32) throws(OutageFolderError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            while count < range.count {
                let part = pread(
                    file, buffer.baseAddress.map { $0 + count }, range.count - count,
                    off_t(range.lowerBound) + off_t(count))
                if part < 0, errno == EINTR { continue }
                guard part > 0 else {
                    failure = part < 0 ? errno : EIO
                    break
                }
                count += part
            }
        }
        guard failure == 0 else { throw OutageFolderError("read", path, failure) }
        return bytes
    }

    private static func write(_ bytes: [UInt8], to file: Int32) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                let part = Glibc.write(file, buffer.baseAddress.map { $0 + written }, buffer.count - written)
                if part < 0, errno == EINTR { continue }
                guard part > 0 else { return false }
                written += part
            }
            return true
        }
    }
}
