//
// RequestScanner.swift: reads the one kind of request that collectors send, straight from the bytes.
//
// Only what is beyond doubt is read here: a complete head in strict RFC 9112 form that announces no body and asks for
// nothing special. Everything else is left to the full decoder, so nothing can be understood in two ways.
//

import NIOCore

/// Takes a request head apart.
struct RequestScanner {
    /// A request without a body, whose bytes end with its head.
    struct Scanned: Hashable {
        var request: StandardRequest
        /// Bytes of the head.
        var byteCount: Int
        var isVersion10: Bool
        /// Whether the connection stays open behind the answer.
        var keepsAlive: Bool
        /// Nothing in it but what ``StandardRequest`` holds decides the answer.
        var isPlain: Bool
    }

    enum Outcome: Hashable {
        /// The head has not ended yet.
        case incomplete
        case request(Scanned)
        /// A body, an upgrade, or anything unusual: the decoder's from here on, as long as the connection lives.
        case opaque
    }

    /// Heads up to here are waited for; a longer one is the decoder's to refuse.
    static let headBytesMax = 16 * 1024

    static func scan(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        var scanner = RequestScanner(bytes: bytes)
        return scanner.scan()
    }

    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var hasHost = false
    private var request = StandardRequest(.other, "")
    private var isVersion10 = false
    private var closes = false
    private var keepsAlive = false
    private var isPlain = true

    private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private mutating func scan() -> Outcome {
        guard let line = nextLine() else { return unended }
        guard readRequestLine(line) else { return .opaque }
        while true {
            guard let line = nextLine() else { return unended }
            if line.isEmpty { break }
            guard readField(line) else { return .opaque }
        }
        // RFC 9112 3.2: a request of version 1.1 without Host is an error, which the router answers.
        if !isVersion10, !hasHost { isPlain = false }
        return .request(
            Scanned(
                request: request, byteCount: position, isVersion10: isVersion10,
                keepsAlive: !closes && (!isVersion10 || keepsAlive), isPlain: isPlain))
    }

    private var unended: Outcome {
        // A line that ended in a bare line feed, or a head too long: not ours.
        position < 0 || bytes.count > Self.headBytesMax ? .opaque : .incomplete
    }

    /// The next line without its CR LF; nil when there is none, with a negative position when it ends otherwise.
    private mutating func nextLine() -> UnsafeRawBufferPointer? {
        guard position >= 0, let end = ASCII.firstIndex(of: UInt8(ascii: "\n"), in: bytes, from: position) else {
            return nil
        }
        guard end > position, bytes[end - 1] == UInt8(ascii: "\r") else {
            position = -1
            return nil
        }
        defer { position = end + 1 }
        return ASCII.cut(bytes, position, end - 1)
    }

    // MARK: Request line

    private mutating func readRequestLine(_ line: UnsafeRawBufferPointer) -> Bool {
        let start: Int
        if ASCII.hasPrefix(line, "GET /") {
            request.method = .get
            start = 4
        } else if ASCII.hasPrefix(line, "HEAD /") {
            request.method = .head
            start = 5
        } else {
            return false
        }
        guard let end = ASCII.firstIndex(of: UInt8(ascii: " "), in: line, from: start) else { return false }
        let version = ASCII.cut(line, end + 1, line.count)
        if ASCII.isEqual(version, "HTTP/1.0") {
            isVersion10 = true
        } else if !ASCII.isEqual(version, "HTTP/1.1") {
            return false
        }
        let target = ASCII.cut(line, start, end)
        guard target.allSatisfy({ (0x21...0x7E).contains($0) }) else { return false }
        request.target = String(decoding: target, as: UTF8.self)
        return true
    }

    // MARK: Fields

    private mutating func readField(_ line: UnsafeRawBufferPointer) -> Bool {
        guard let colon = ASCII.firstIndex(of: UInt8(ascii: ":"), in: line), colon > 0 else { return false }
        let name = ASCII.cut(line, 0, colon)
        guard name.allSatisfy(Self.isTokenByte) else { return false }
        let value = ASCII.trimmed(ASCII.cut(line, colon + 1, line.count))
        guard value.allSatisfy({ $0 == UInt8(ascii: "\t") || ($0 >= 0x20 && $0 != 0x7F) }) else { return false }
        // Of the names that matter only these lengths occur.
        switch name.count {
        case 4 where ASCII.isEqualIgnoringCase(name, "host"):
            if hasHost { return false }
            hasHost = true
        case 6 where ASCII.isEqualIgnoringCase(name, "accept"): request.add(accept: value)
        case 6 where ASCII.isEqualIgnoringCase(name, "expect"): return false
        case 7 where ASCII.isEqualIgnoringCase(name, "upgrade"): return false
        case 10 where ASCII.isEqualIgnoringCase(name, "connection"): return readConnection(value)
        case 13 where ASCII.isEqualIgnoringCase(name, "if-none-match"):
            // More than one: the router joins them.
            if request.ifNoneMatch != nil { isPlain = false }
            request.ifNoneMatch = String(decoding: value, as: UTF8.self)
        case 14 where ASCII.isEqualIgnoringCase(name, "content-length"): return false
        case 15 where ASCII.isEqualIgnoringCase(name, "accept-encoding"):
            request.add(acceptEncoding: value)
        case 17 where ASCII.isEqualIgnoringCase(name, "transfer-encoding"): return false
        default: break
        }
        return true
    }

    private mutating func readConnection(_ value: UnsafeRawBufferPointer) -> Bool {
        var upgrades = false
        ASCII.forEachPart(of: value, separatedBy: UInt8(ascii: ",")) { option in
            if ASCII.isEqualIgnoringCase(option, "close") { closes = true }
            if ASCII.isEqualIgnoringCase(option, "keep-alive") { keepsAlive = true }
            if ASCII.isEqualIgnoringCase(option, "upgrade") { upgrades = true }
            return true
        }
        return !upgrades
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool { tokenBytes[Int(byte)] }

    /// RFC 9110 5.6.2.
    private static let tokenBytes: [Bool] = (0..<256).map { byte in
        switch UInt8(byte) {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(UInt8(byte))
        }
    }
}
