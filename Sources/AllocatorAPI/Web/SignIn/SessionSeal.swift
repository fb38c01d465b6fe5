//
// SessionSeal.swift: a browser's session is the time of its end and a seal over it that only a holder of the token can
// have been given.
//
// Nothing is kept: every replica with the same tokens knows the session, a restart ends none, and a token that is
// withdrawn ends its sessions at once. The cookie is not the token, so whoever gets hold of it cannot use the API with it.
//

import Crypto
import PostgresDriver

extension BearerTokens {
    /// How long a browser may read before it has to show the token again.
    static let sessionTime = Duration.seconds(12 * 3600)

    /// A session for whoever shows this token; nil when it is none of them.
    func session(opening token: String, now: Timestamp) -> String? {
        guard let key = key(of: token) else { return nil }
        let end = now.advanced(by: Self.sessionTime).microsecondsSince1970 / 1_000_000
        let seal = HMAC<SHA256>.authenticationCode(for: Self.sealed(end), using: key)
        return "\(end).\(seal.map { Self.hexadecimal($0) }.joined())"
    }

    /// The file of the token that this session was given for; nil when it was given for none of them, or has ended.
    func file(ofSession session: String, now: Timestamp) -> String? {
        let parts = session.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let end = Int64(parts[0]), end > now.microsecondsSince1970 / 1_000_000,
            let seal = Self.bytes(parts[1])
        else { return nil }
        let message = Self.sealed(end)
        // Every token is tried, each in constant time.
        return keys().reduce(nil) { found, entry in
            HMAC<SHA256>.isValidAuthenticationCode(seal, authenticating: message, using: entry.key)
                ? entry.file : found
        }
    }

    private static func sealed(_ end: Int64) -> [UInt8] { Array("target-ledger session \(end)".utf8) }

    private static func hexadecimal(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return digits.utf8.count == 1 ? "0" + digits : digits
    }

    private static func bytes(_ text: Substring) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...(index + 1)], as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }
}
