//
// TargetWriter.swift: writes targets as the elements that a collector's http_sd reads.
//
// `{"targets":["address"],"labels":{"name":"value",…}}`, labels in the order of their set, which is bytewise by name.
// Label texts lie ready in the table and mostly need no escape, so an element is a row of copies; its size is known
// beforehand, so it is written once, into memory of the right size.
//

import AllocationCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Measures and writes elements of target lists.
struct TargetWriter {
    let table: LabelTable

    private static let head: StaticString = #"{"targets":[""#
    private static let middle: StaticString = #""],"labels":{"#
    private static let tail: StaticString = "}}"

    /// Bytes of one element.
    func byteCount(of target: IdentifiedTarget) -> Int {
        var count = Self.head.utf8CodeUnitCount + Self.middle.utf8CodeUnitCount + Self.tail.utf8CodeUnitCount
        if let address = target.address { count += valueByteCount(address) }
        for id in target.labels.ids {
            // Quotes, colon and comma; the pair's own two separators are not written.
            count += table.isPlainJSON(id) ? table.withPairBytes(id) { $0.count } + 4 : escapedPair(id).count + 1
        }
        // The last label has no comma behind it.
        return target.labels.isEmpty ? count : count - 1
    }

    /// Writes one element and returns the place behind it. `place` must have room for ``byteCount(of:)``.
    func write(_ target: IdentifiedTarget, to place: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        var place = Self.write(Self.head, to: place)
        if let address = target.address { place = writeValue(address, to: place) }
        place = Self.write(Self.middle, to: place)
        var isFirst = true
        for id in target.labels.ids {
            if !isFirst {
                place.storeBytes(of: UInt8(ascii: ","), as: UInt8.self)
                place += 1
            }
            isFirst = false
            place = table.isPlainJSON(id) ? writePlainPair(id, to: place) : Self.write(escapedPair(id), to: place)
        }
        return Self.write(Self.tail, to: place)
    }

    // MARK: Pairs

    @inline(__always)
    private func writePlainPair(_ id: LabelID, to start: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        let nameCount = table.withNameBytes(id) { $0.count }
        return table.withPairBytes(id) { pair in
            // `name 0xFF value 0xFF` becomes `"name":"value"`.
            let valueCount = pair.count - nameCount - 2
            let source = pair.baseAddress.unsafelyUnwrapped  // a pair has two bytes at least
            var place = start
            place.storeBytes(of: UInt8(ascii: "\""), as: UInt8.self)
            memcpy(place + 1, source, nameCount)
            place += nameCount + 1
            place.storeBytes(of: UInt8(ascii: "\""), as: UInt8.self)
            place.storeBytes(of: UInt8(ascii: ":"), toByteOffset: 1, as: UInt8.self)
            place.storeBytes(of: UInt8(ascii: "\""), toByteOffset: 2, as: UInt8.self)
            memcpy(place + 3, source + nameCount + 1, valueCount)
            place += valueCount + 3
            place.storeBytes(of: UInt8(ascii: "\""), as: UInt8.self)
            return place + 1
        }
    }

    private func escapedPair(_ id: LabelID) -> [UInt8] {
        var text: [UInt8] = [UInt8(ascii: "\"")]
        table.withNameBytes(id) { JSONText.append($0, to: &text) }
        text += #"":""#.utf8
        table.withValueBytes(id) { JSONText.append($0, to: &text) }
        text.append(UInt8(ascii: "\""))
        return text
    }

    // MARK: Values

    private func valueByteCount(_ id: LabelID) -> Int {
        table.isPlainJSON(id) ? table.withValueBytes(id) { $0.count } : escapedValue(id).count
    }

    private func writeValue(_ id: LabelID, to place: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        guard table.isPlainJSON(id) else { return Self.write(escapedValue(id), to: place) }
        return table.withValueBytes(id) { value in
            if let source = value.baseAddress { memcpy(place, source, value.count) }
            return place + value.count
        }
    }

    private func escapedValue(_ id: LabelID) -> [UInt8] {
        var text: [UInt8] = []
        table.withValueBytes(id) { JSONText.append($0, to: &text) }
        return text
    }

    // MARK: Copying

    @inline(__always)
    private static func write(_ text: StaticString, to place: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        memcpy(place, text.utf8Start, text.utf8CodeUnitCount)
        return place + text.utf8CodeUnitCount
    }

    private static func write(_ bytes: [UInt8], to place: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        bytes.withUnsafeBytes { source in
            if let start = source.baseAddress { memcpy(place, start, source.count) }
        }
        return place + bytes.count
    }
}
