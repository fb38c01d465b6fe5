import Foundation
import PostgresDriver
import Testing

@testable import AllocatorAPI

/// Goal: a session opens the history for whoever showed a token, until it ends, and can be made by nobody else.
///
/// Method: two token files; sessions that are altered, old, or of another token.
@Suite struct SessionSealTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    private let now = Timestamp(microsecondsSince1970: 1_790_000_000_000_000)

    private func tokens(_ texts: [String]) throws -> BearerTokens {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let files = try texts.enumerated().map { index, text in
            let file = folder.appending(path: "\(index)")
            try text.write(to: file, atomically: true, encoding: .utf8)
            return file.path()
        }
        return try BearerTokens(files: files)
    }

    @Test("A session is of the token that was shown, and ends")
    func opens() throws {
        let tokens = try tokens(["first-token-of-sixteen\n", "second-token-of-sixteen"])
        let session = try #require(tokens.session(opening: "second-token-of-sixteen", now: now))
        #expect(!session.contains("second"))
        #expect(tokens.file(ofSession: session, now: now)?.hasSuffix("/1") == true)
        let end = now.advanced(by: BearerTokens.sessionTime)
        #expect(tokens.file(ofSession: session, now: end.advanced(by: .seconds(-1))) != nil)
        #expect(tokens.file(ofSession: session, now: end) == nil)
        #expect(tokens.session(opening: "second-token-of-sixtee", now: now) == nil)
        #expect(tokens.session(opening: "", now: now) == nil)
    }

    @Test("What was altered, or given for another token, opens nothing")
    func refuses() throws {
        let session = try #require(
            try tokens(["first-token-of-sixteen"]).session(opening: "first-token-of-sixteen", now: now))
        let parts = session.split(separator: ".")
        let later = Int64(parts[0]).map { $0 + 1 } ?? 0
        let tokens = try tokens(["first-token-of-sixteen"])
        #expect(tokens.file(ofSession: session, now: now) != nil)
        for other in ["\(later).\(parts[1])", "\(parts[0]).\(parts[1].dropLast())0", "\(parts[0]).", "", ".", "a.b.c"]
        where other != session {
            #expect(tokens.file(ofSession: other, now: now) == nil, "\(other)")
        }
        #expect(try self.tokens(["another-token-of-sixteen"]).file(ofSession: session, now: now) == nil)
    }
}
