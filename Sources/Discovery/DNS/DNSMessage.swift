//
// DNSMessage.swift: questions and answers of DNS as bytes (RFC 1035, 2782, 3596, 6891).
//
// A value without I/O. Whatever comes from the network is taken within bounds: names with loops, lengths that point
// outside and records of unknown kinds are errors or left out, never trusted.
//

/// Why a name has no answer.
enum DNSError: Error, Sendable, Equatable, CustomStringConvertible {
    case noConfiguration(String)
    case invalidName(String)
    case malformedAnswer
    case truncated
    /// No server gave an answer; what the last one said.
    case noAnswer(name: String, String)
    case noSuchName(String)

    var description: String {
        switch self {
        case .noConfiguration(let text): "no name server: \(text)"
        case .invalidName(let name): "\(name) is not a DNS name"
        case .malformedAnswer: "malformed answer"
        case .truncated: "truncated answer"
        case .noAnswer(let name, let text): "\(name): \(text)"
        case .noSuchName(let name): "\(name): no such name"
        }
    }
}

enum DNSRecordType: UInt16, Sendable {
    case a = 1
    case cname = 5
    case aaaa = 28
    case srv = 33
}

/// One record of an answer.
struct DNSRecord: Sendable, Equatable {
    enum Data: Sendable, Equatable {
        case a([UInt8])
        case aaaa([UInt8])
        case srv(target: String, port: UInt16)
        /// CNAME and everything that is not read.
        case other(type: UInt16)
    }

    /// With its dot at the end.
    var name: String
    var data: Data
}

/// What a server answered.
struct DNSAnswer: Sendable, Equatable {
    static let noError: UInt8 = 0
    static let nameError: UInt8 = 3

    var id: UInt16
    var code: UInt8
    var isTruncated: Bool
    var records: [DNSRecord]
}

enum DNSMessage {
    /// Bytes of an answer over UDP that we can take.
    static let datagramBytesMax = 4096

    /// A question with recursion desired.
    static func question(
        id: UInt16, name: String, type: DNSRecordType, offersLargeDatagrams: Bool
    ) throws(DNSError) -> [UInt8] {
        var bytes: [UInt8] = []
        append(id, to: &bytes)
        append(0x0100, to: &bytes)
        for count: UInt16 in [1, 0, 0, offersLargeDatagrams ? 1 : 0] { append(count, to: &bytes) }
        var length = 1
        for label in name.split(separator: ".", omittingEmptySubsequences: true) {
            let text = Array(label.utf8)
            length += text.count + 1
            guard text.count <= 63, length <= 255 else { throw .invalidName(name) }
            bytes.append(UInt8(text.count))
            bytes += text
        }
        bytes.append(0)
        append(type.rawValue, to: &bytes)
        append(1, to: &bytes)
        if offersLargeDatagrams {
            // The root name, type OPT, the size in place of a class.
            bytes.append(0)
            append(41, to: &bytes)
            append(UInt16(datagramBytesMax), to: &bytes)
            bytes += [0, 0, 0, 0, 0, 0]
        }
        return bytes
    }

    static func answer(_ bytes: [UInt8]) throws(DNSError) -> DNSAnswer {
        var reader = Reader(bytes: bytes)
        let id = try reader.word()
        let flags = try reader.word()
        guard flags & 0x8000 != 0 else { throw .malformedAnswer }
        let questions = try reader.word()
        let answers = try reader.word()
        _ = try reader.word()
        _ = try reader.word()
        var answer = DNSAnswer(
            id: id, code: UInt8(flags & 0x000F), isTruncated: flags & 0x0200 != 0, records: [])
        // What is left of a truncated answer is asked for again.
        if answer.isTruncated { return answer }
        for _ in 0..<questions {
            _ = try reader.name()
            try reader.skip(4)
        }
        for _ in 0..<answers { answer.records.append(try reader.record()) }
        return answer
    }

    private static func append(_ word: UInt16, to bytes: inout [UInt8]) {
        bytes.append(UInt8(word >> 8))
        bytes.append(UInt8(word & 0xFF))
    }

    private struct Reader {
        let bytes: [UInt8]
        var offset = 0

        mutating func byte() throws(DNSError) -> UInt8 {
            guard offset < bytes.count else { throw .malformedAnswer }
            defer { offset += 1 }
            return bytes[offset]
        }

        mutating func word() throws(DNSError) -> UInt16 {
            let high = try byte()
            return UInt16(high) << 8 | UInt16(try byte())
        }

        mutating func skip(_ count: Int) throws(DNSError) {
            guard offset + count <= bytes.count else { throw .malformedAnswer }
            offset += count
        }

        mutating func take(_ count: Int) throws(DNSError) -> [UInt8] {
            let start = offset
            try skip(count)
            return Array(bytes[start..<offset])
        }

        mutating func record() throws(DNSError) -> DNSRecord {
            let name = try name()
            let type = try word()
            try skip(6)
            let end = Int(try word()) + offset
            guard end <= bytes.count else { throw .malformedAnswer }
            let data: DNSRecord.Data
            switch DNSRecordType(rawValue: type) {
            case .a where end - offset == 4: data = .a(try take(4))
            case .aaaa where end - offset == 16: data = .aaaa(try take(16))
            case .srv:
                try skip(4)
                let port = try word()
                data = .srv(target: try self.name(), port: port)
            default: data = .other(type: type)
            }
            guard offset <= end else { throw .malformedAnswer }
            offset = end
            return DNSRecord(name: name, data: data)
        }

        /// A name, with its dot at the end, through pointers that lead backwards.
        mutating func name() throws(DNSError) -> String {
            var labels = ""
            var position = offset
            var behind: Int?
            while true {
                guard position < bytes.count else { throw .malformedAnswer }
                let length = Int(bytes[position])
                switch length {
                case 0:
                    offset = behind ?? position + 1
                    return labels.isEmpty ? "." : labels
                case 1...63:
                    guard position + 1 + length <= bytes.count, labels.utf8.count + length < 256 else {
                        throw .malformedAnswer
                    }
                    labels += String(decoding: bytes[(position + 1)...(position + length)], as: UTF8.self) + "."
                    position += length + 1
                case 0xC0...:
                    guard position + 1 < bytes.count else { throw .malformedAnswer }
                    let target = (length & 0x3F) << 8 | Int(bytes[position + 1])
                    // Backwards alone, so that it ends.
                    guard target < position else { throw .malformedAnswer }
                    behind = behind ?? position + 2
                    position = target
                default: throw .malformedAnswer
                }
            }
        }
    }
}
