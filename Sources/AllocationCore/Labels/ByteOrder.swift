//
// ByteOrder.swift: bytewise comparison, the order of every sorted list that leaves the process.
//

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Lexicographic order of byte runs, a shorter prefix first.
package enum ByteOrder {
    /// Negative, zero or positive as `a` sorts before, with or after `b`.
    @inline(__always)
    package static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
        let shared = min(a.count, b.count)
        if shared > 0, let left = a.baseAddress, let right = b.baseAddress {
            let order = memcmp(left, right, shared)
            if order != 0 { return Int(order) }
        }
        return a.count - b.count
    }

    /// Whether `a` sorts before `b` by their UTF-8 bytes (which `String`'s own `<` does not promise).
    package static func precedes(_ a: String, _ b: String) -> Bool {
        var (a, b) = (a, b)
        return a.withUTF8 { left in
            b.withUTF8 { right in compare(UnsafeRawBufferPointer(left), UnsafeRawBufferPointer(right)) < 0 }
        }
    }
}
