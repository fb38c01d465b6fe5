import AllocatorAPI
import Foundation
import Testing

/// Goal: only a token in one of the files opens the history, and a rotated one counts at once.
@Suite struct BearerTokensTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "tokens-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func write(_ name: String, _ text: String) throws -> String {
        let file = folder.appending(path: name)
        try text.write(to: file, atomically: true, encoding: .utf8)
        return file.path()
    }

    @Test("A token opens, whoever's it is; anything else does not")
    func opens() throws {
        let (a, b) = (try write("a", "correct-horse-battery\n"), try write("b", "another-token-of-mine"))
        let tokens = try BearerTokens(files: [a, b])
        #expect(tokens.file(opening: "Bearer correct-horse-battery") == a)
        #expect(tokens.file(opening: "bearer another-token-of-mine") == b)
        for wrong in [
            nil, "", "Bearer ", "Bearer wrong", "Bearer correct-horse-batter", "Basic correct-horse-battery",
            "correct-horse-battery", "Bearer correct-horse-battery ",
        ] {
            #expect(tokens.file(opening: wrong) == nil, "\(wrong ?? "none")")
        }
    }

    @Test("A rotated token counts, the old one no longer does, and a file that is gone keeps its token")
    func rotated() throws {
        let file = try write("a", "correct-horse-battery")
        let tokens = try BearerTokens(files: [file], readInterval: .zero)
        _ = try write("a", "staple-staple-staple")
        #expect(tokens.file(opening: "Bearer correct-horse-battery") == nil)
        #expect(tokens.file(opening: "Bearer staple-staple-staple") == file)
        try FileManager.default.removeItem(atPath: file)
        #expect(tokens.file(opening: "Bearer staple-staple-staple") == file)
    }

    @Test("A missing or short token is refused by its file's name, without the token")
    func refused() throws {
        let missing = #expect(throws: BearerTokens.FileError.self) { try BearerTokens(files: ["/nowhere/token"]) }
        #expect(missing?.description == "/nowhere/token: the bearer token cannot be read")
        let file = try write("short", "hunter2")
        let short = #expect(throws: BearerTokens.FileError.self) { try BearerTokens(files: [file]) }
        #expect(short?.description == "\(file): a bearer token has at least 16 characters")
    }
}
