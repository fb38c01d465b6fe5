//
// AnswerPieces.swift: a body made of texts and target lists, rendered at once or piece by piece.
//
// A job of a million targets is a gigabyte of JSON. Its length is known without rendering it, so it can be sent with a
// Content-Length while only one piece at a time is in memory.
//

import AllocationCore
import AllocatorRuntime
import NIOCore

/// A body as the plan of its parts.
package struct AnswerPieces: Sendable {
    enum Part: Sendable {
        case text([UInt8])
        /// The elements of a list, separated by commas, without brackets.
        case elements(TargetList)
    }

    private let parts: [Part]
    private let table: LabelTable
    /// Bytes of the whole body.
    package let byteCount: Int

    init(_ parts: [Part], in table: LabelTable) {
        self.parts = parts
        self.table = table
        let writer = TargetWriter(table: table)
        byteCount = parts.reduce(0) { count, part in
            switch part {
            case .text(let text): count + text.count
            case .elements(let list):
                list.targets.reduce(count + max(0, list.targets.count - 1)) { $0 + writer.byteCount(of: $1) }
            }
        }
    }

    /// A body that is there already.
    init(text: [UInt8]) { self.init([.text(text)], in: LabelTable()) }

    /// The body of `/jobs/{job}/targets?collector_id=…`.
    init(list: TargetList, in table: LabelTable) {
        self.init([.text(Array("[".utf8)), .elements(list), .text(Array("]\n".utf8))], in: table)
    }

    /// The body in one.
    package func rendered() -> ByteBuffer {
        var cursor = makeCursor()
        return cursor.take(upTo: Position(part: parts.count, target: 0), byteCount: byteCount)
    }

    package func makeCursor() -> Cursor { Cursor(parts: parts, writer: TargetWriter(table: table)) }

    /// A place between two elements.
    fileprivate struct Position: Equatable {
        var part: Int
        var target: Int
    }

    /// Where rendering stands.
    package struct Cursor: Sendable {
        private let parts: [Part]
        private let writer: TargetWriter
        private var part = 0
        /// Next target within the part.
        private var target = 0

        fileprivate init(parts: [Part], writer: TargetWriter) {
            self.parts = parts
            self.writer = writer
        }

        /// The next piece of at most `bytesMax` bytes, or of one text or element if that is larger; nil at the end.
        package mutating func next(bytesMax: Int) -> ByteBuffer? {
            let (end, byteCount) = measure(bytesMax: bytesMax)
            return byteCount > 0 ? take(upTo: end, byteCount: byteCount) : nil
        }

        fileprivate mutating func take(upTo end: Position, byteCount: Int) -> ByteBuffer {
            guard byteCount > 0 else { return ByteBuffer() }
            var buffer = ByteBufferAllocator().buffer(capacity: byteCount)
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: byteCount) { memory in
                // Room for byteCount bytes was asked for, and byteCount is above zero.
                let start = memory.baseAddress.unsafelyUnwrapped
                let written = write(upTo: end, to: start) - start
                precondition(written == byteCount, "rendered \(written) bytes, measured \(byteCount)")
                return written
            }
            return buffer
        }

        /// How far the next piece goes and how many bytes it has.
        private func measure(bytesMax: Int) -> (end: Position, byteCount: Int) {
            var position = Position(part: part, target: target)
            var count = 0
            while position.part < parts.count {
                switch parts[position.part] {
                case .text(let text):
                    if count > 0, count + text.count > bytesMax { return (position, count) }
                    count += text.count
                case .elements(let list):
                    while position.target < list.targets.count {
                        let comma = position.target > 0 ? 1 : 0
                        let size = writer.byteCount(of: list.targets[position.target]) + comma
                        if count > 0, count + size > bytesMax { return (position, count) }
                        count += size
                        position.target += 1
                    }
                }
                position = Position(part: position.part + 1, target: 0)
            }
            return (position, count)
        }

        private mutating func write(
            upTo end: Position, to start: UnsafeMutableRawPointer
        ) -> UnsafeMutableRawPointer {
            var place = start
            while part < parts.count, Position(part: part, target: target) != end {
                switch parts[part] {
                case .text(let text):
                    text.withUnsafeBytes { bytes in
                        UnsafeMutableRawBufferPointer(start: place, count: bytes.count).copyMemory(from: bytes)
                    }
                    place += text.count
                case .elements(let list):
                    let last = part == end.part ? end.target : list.targets.count
                    while target < last {
                        if target > 0 {
                            place.storeBytes(of: UInt8(ascii: ","), as: UInt8.self)
                            place += 1
                        }
                        place = writer.write(list.targets[target], to: place)
                        target += 1
                    }
                    if part == end.part { return place }
                }
                part += 1
                target = 0
            }
            return place
        }
    }
}
