//
// BearerTokens.swift: who may read the history.
//
// Tokens lie in files, one a file, and are read again when a file changes, so that a rotated secret counts at once. A
// token is compared by its SHA-256 in constant time, and neither tokens nor their digests are ever shown.
//

import Crypto
import Foundation
import Synchronization

/// The tokens that open the history API.
package final class BearerTokens: Sendable {
    /// A token's file cannot be used.
    package struct FileError: Error, CustomStringConvertible {
        package let description: String
    }

    private struct Token {
        let file: String
        let digest: SHA256.Digest
    }

    private struct State {
        var tokens: [Token] = []
        var readAt = ContinuousClock.now
    }

    private let files: [String]
    private let readInterval: Duration
    private let state: Mutex<State>

    /// - Parameters:
    ///   - files: One token each; white space around it does not count.
    ///   - readInterval: Changes of the files are seen after this time.
    /// - Throws: ``FileError``.
    package init(files: [String], readInterval: Duration = .seconds(10)) throws {
        self.files = files
        self.readInterval = readInterval
        state = Mutex(State(tokens: try Self.read(files)))
    }

    /// The file of the token that this `Authorization` field holds; nil when it holds none of them.
    package func file(opening authorization: String?) -> String? {
        guard let authorization, authorization.count > 7, authorization.prefix(7).lowercased() == "bearer " else {
            return nil
        }
        let given = SHA256.hash(data: Data(authorization.dropFirst(7).utf8))
        // Every token is compared, so that the time tells nothing; digests are compared in constant time.
        return current().reduce(nil) { found, token in token.digest == given ? token.file : found }
    }

    /// The key of this token's seals; nil when it is none of them.
    func key(of token: String) -> SymmetricKey? {
        let given = SHA256.hash(data: Data(token.utf8))
        return current().reduce(nil) { $1.digest == given ? SymmetricKey(data: $1.digest) : $0 }
    }

    /// The keys of all tokens' seals.
    func keys() -> [(file: String, key: SymmetricKey)] {
        current().map { ($0.file, SymmetricKey(data: $0.digest)) }
    }

    private func current() -> [Token] {
        state.withLock { state in
            if state.readAt.duration(to: .now) > readInterval {
                state.readAt = .now
                // A file that cannot be read now keeps the tokens as they were.
                if let tokens = try? Self.read(files) { state.tokens = tokens }
            }
            return state.tokens
        }
    }

    private static func read(_ files: [String]) throws -> [Token] {
        try files.map { file in
            guard let data = FileManager.default.contents(atPath: file) else {
                throw FileError(description: "\(file): the bearer token cannot be read")
            }
            let token = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            guard token.utf8.count >= 16 else {
                throw FileError(description: "\(file): a bearer token has at least 16 characters")
            }
            return Token(file: file, digest: SHA256.hash(data: Data(token.utf8)))
        }
    }
}
