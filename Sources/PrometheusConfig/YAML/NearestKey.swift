//
// NearestKey.swift: which known key a mistyped one was meant to be.
//

/// Finds the known key that a mistyped one resembles most.
package enum NearestKey {
    /// Keys longer than this are nobody's slip of the keys, and the distance costs their product.
    private static let keyBytesMax = 64

    /// The candidate within a third of the key's length in edits (at least one), or nil. Letter case, `-` and `_` do not
    /// count as differences; of equally near candidates the first one wins.
    package static func find(_ key: String, among candidates: some Sequence<String>) -> String? {
        let folded = fold(key)
        guard !folded.isEmpty, folded.count <= keyBytesMax else { return nil }
        var best: (distance: Int, key: String)?
        for candidate in candidates {
            let distance = distance(folded, fold(candidate))
            if distance < best?.distance ?? Int.max { best = (distance, candidate) }
        }
        guard let best, best.distance <= max(1, folded.count / 3) else { return nil }
        return best.key
    }

    private static func fold(_ key: String) -> [UInt8] {
        key.utf8.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") }
            .map { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") ? $0 | 0x20 : $0 }
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one into the other.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for i in left.indices {
            var row = [i + 1]
            row.reserveCapacity(right.count + 1)
            for j in right.indices {
                var cost = min(last[j + 1], row[j]) + 1
                cost = min(cost, last[j] + (left[i] == right[j] ? 0 : 1))
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    cost = min(cost, beforeLast[j - 1] + 1)
                }
                row.append(cost)
            }
            (beforeLast, last) = (last, row)
        }
        return last[right.count]
    }
}
