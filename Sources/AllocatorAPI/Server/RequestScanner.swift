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
    private mutating func nextLine() -> Slice<UnsafeRawBufferPointer>? {
        guard position >= 0, let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        guard end > position, bytes[end - 1] == UInt8(ascii: "\r") else {
            position = -1
            return nil
        }
        defer { position = end + 1 }
        return bytes[position..<(end - 1)]
    }

    // MARK: Request line

    private mutating func readRequestLine(_ line: Slice<UnsafeRawBufferPointer>) -> Bool {
        guard let first = line.firstIndex(of: UInt8(ascii: " ")), let last = line.lastIndex(of: UInt8(ascii: " ")),
            first < last
        else { return false }
        let method = line[..<first]
        if method.elementsEqual("GET".utf8) {
            request.method = .get
        } else if method.elementsEqual("HEAD".utf8) {
            request.method = .head
        } else {
            return false
        }
        let version = line[(last + 1)...]
        if version.elementsEqual("HTTP/1.0".utf8) {
            isVersion10 = true
        } else if !version.elementsEqual("HTTP/1.1".utf8) {
            return false
        }
        let target = line[(first + 1)..<last]
        guard target.first == UInt8(ascii: "/"), target.allSatisfy({ (0x21...0x7E).contains($0) }) else { return false }
        request.target = String(decoding: target, as: UTF8.self)
        return true
    }

    // MARK: Fields

    private mutating func readField(_ line: Slice<UnsafeRawBufferPointer>) -> Bool {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else { return false }
        let name = line[..<colon]
        guard name.allSatisfy(Self.isTokenByte) else { return false }
        let value = Self.trimmed(line[(colon + 1)...])
        guard value.allSatisfy({ $0 == UInt8(ascii: "\t") || ($0 >= 0x20 && $0 != 0x7F) }) else { return false }
        // Of the names that matter only these lengths occur.
        switch name.count {
        case 4 where Self.isName(name, "host"):
            if hasHost { return false }
            hasHost = true
        case 6 where Self.isName(name, "accept"): request.add(accept: String(decoding: value, as: UTF8.self))
        case 6 where Self.isName(name, "expect"): return false
        case 7 where Self.isName(name, "upgrade"): return false
        case 10 where Self.isName(name, "connection"): return readConnection(value)
        case 13 where Self.isName(name, "if-none-match"):
            // More than one: the router joins them.
            if request.ifNoneMatch != nil { isPlain = false }
            request.ifNoneMatch = String(decoding: value, as: UTF8.self)
        case 14 where Self.isName(name, "content-length"): return false
        case 15 where Self.isName(name, "accept-encoding"):
            request.add(acceptEncoding: String(decoding: value, as: UTF8.self))
        case 17 where Self.isName(name, "transfer-encoding"): return false
        default: break
        }
        return true
    }

    private mutating func readConnection(_ value: Slice<UnsafeRawBufferPointer>) -> Bool {
        for option in value.split(separator: UInt8(ascii: ",")) {
            let option = Self.trimmed(option)
            if Self.isName(option, "close") {
                closes = true
            } else if Self.isName(option, "keep-alive") {
                keepsAlive = true
            } else if Self.isName(option, "upgrade") {
                return false
            }
        }
        return true
    }

    /// Compares with a name in lower case; ASCII letters only differ in one bit.
    private static func isName(_ bytes: Slice<UnsafeRawBufferPointer>, _ name: StaticString) -> Bool {
        guard bytes.count == name.utf8CodeUnitCount else { return false }
        var expected = name.utf8Start
        for byte in bytes {
            let lower = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
            if lower != expected.pointee { return false }
            expected += 1
        }
        return true
    }

    private static func trimmed(_ value: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
        var value = value
        while let first = value.first, first == UInt8(ascii: " ") || first == UInt8(ascii: "\t") {
            value = value.dropFirst()
        }
        while let last = value.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") {
            value = value.dropLast()
        }
        return value
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
