//
// ScratchBuffer.swift: a growing list for memory that is written a hundred times per target.
//
// An array checks at every write that nobody else holds its storage, and its bounds; in relabelling that made up a third
// of the instructions. This list has one owner by its type, and its indices come from slots and counts kept beside it.
//

/// A list of plain values with one owner. Indices are checked in debug builds alone.
struct ScratchBuffer<Element: BitwiseCopyable>: ~Copyable {
    private var base: UnsafeMutablePointer<Element>
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int = 16) {
        self.capacity = max(capacity, 1)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    var indices: Range<Int> { 0..<count }

    var last: Element? { count > 0 ? self[count - 1] : nil }

    subscript(index: Int) -> Element {
        @inline(__always)
        get {
            assert(index >= 0 && index < count)
            return base[index]
        }
        @inline(__always)
        nonmutating _modify {
            assert(index >= 0 && index < count)
            yield &base[index]
        }
    }

    @inline(__always)
    mutating func append(_ element: Element) {
        if count == capacity { grow(to: count + 1) }
        base[count] = element
        count &+= 1
    }

    mutating func append(repeating element: Element, count added: Int) {
        for _ in 0..<added { append(element) }
    }

    /// Room for `added` more elements, to be written before anything else is done; they count at once.
    @inline(__always)
    mutating func extend(by added: Int) -> UnsafeMutablePointer<Element> {
        if count &+ added > capacity { grow(to: count + added) }
        defer { count = count &+ added }
        return base + count
    }

    /// Drops the elements from `count` on.
    @inline(__always)
    mutating func truncate(to count: Int) { self.count = min(self.count, count) }

    @inline(__always)
    mutating func removeAll() { count = 0 }

    /// Valid until the list changes.
    @inline(__always)
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base, count: count &* MemoryLayout<Element>.stride)
    }

    private mutating func grow(to needed: Int) {
        let larger = max(needed, 2 * capacity)
        let moved = UnsafeMutablePointer<Element>.allocate(capacity: larger)
        moved.update(from: base, count: count)
        base.deallocate()
        (base, capacity) = (moved, larger)
    }
}
