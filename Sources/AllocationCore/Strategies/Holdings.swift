//
// Holdings.swift: which targets each collector has, so that what one leaves behind is found without looking at all.
//
// One heap a collector. Whoever loses a target does nothing: an entry counts only while its slot still says the same,
// and those that do not are dropped when they come up, or when they are more than those that count.
//

/// Targets by collector, the first in order at hand.
///
/// Invariant: each target with a collector has at least one entry there. The order is that of identities, then of the
/// jobs' names, so that which target is the first never depends on when it came.
struct Holdings: Sendable {
    struct Entry: Sendable {
        let identity: TargetIdentity
        let job: Int32
        let slot: Int32
    }

    /// By collector number; the parent of `n` is `(n - 1) / 2`.
    private var heaps: ContiguousArray<ContiguousArray<Entry>>

    /// Looks at every target, once.
    init(_ jobs: [JobTable], collectorCount: Int) {
        heaps = ContiguousArray(repeating: [], count: collectorCount)
        for job in jobs.indices {
            for slot in jobs[job].slots.indices where jobs[job].slots[slot].isUsed {
                let collector = Int(jobs[job].slots[slot].collector)
                guard collector >= 0 else { continue }
                heaps[collector].append(
                    Entry(identity: jobs[job].slots[slot].identity, job: Int32(job), slot: Int32(slot)))
                Self.rise(&heaps[collector], in: jobs)
            }
        }
    }

    /// Notes that a collector has a target now.
    ///
    /// - Parameter count: Targets that it has, this one included.
    mutating func add(_ slot: Int32, of job: Int, to collector: Int32, count: Int, in jobs: [JobTable]) {
        let collector = Int(collector)
        while heaps.count <= collector { heaps.append([]) }
        let entry = Entry(identity: jobs[job].slots[Int(slot)].identity, job: Int32(job), slot: slot)
        heaps[collector].append(entry)
        if heaps[collector].count > 2 * count + 32 {
            heaps[collector] = Self.current(heaps[collector], with: Int32(collector), in: jobs)
        } else {
            Self.rise(&heaps[collector], in: jobs)
        }
    }

    /// Removes and returns the first target that a collector has. It must be given to another at once.
    mutating func takeFirst(of collector: Int32, in jobs: [JobTable]) -> Entry? {
        guard Int(collector) < heaps.count else { return nil }
        while let first = heaps[Int(collector)].first {
            Self.removeFirst(&heaps[Int(collector)], in: jobs)
            if Self.isCurrent(first, with: collector, in: jobs) { return first }
        }
        return nil
    }

    /// Removes and returns all that a collector has, in order. All must be given to others at once.
    mutating func takeAll(of collector: Int32, in jobs: [JobTable]) -> ContiguousArray<Entry> {
        guard Int(collector) < heaps.count else { return [] }
        let all = Self.current(heaps[Int(collector)], with: collector, in: jobs)
        heaps[Int(collector)] = []
        return all
    }

    private static func isCurrent(_ entry: Entry, with collector: Int32, in jobs: [JobTable]) -> Bool {
        // Each read by itself: a copy of the job or of the slot would count references.
        let (job, slot) = (Int(entry.job), Int(entry.slot))
        return jobs[job].slots[slot].collector == collector && jobs[job].slots[slot].identity == entry.identity
            && jobs[job].slots[slot].isUsed
    }

    /// The entries that count, each once, in order; what is in order is a heap.
    private static func current(
        _ entries: ContiguousArray<Entry>, with collector: Int32, in jobs: [JobTable]
    ) -> ContiguousArray<Entry> {
        var kept = ContiguousArray<Entry>()
        for entry in entries.lazy.filter({ isCurrent($0, with: collector, in: jobs) })
            .sorted(by: { precedes($0, $1, in: jobs) })
        {
            // A target that went and came back has two.
            if let last = kept.last, last.job == entry.job, last.slot == entry.slot { continue }
            kept.append(entry)
        }
        return kept
    }

    private static func precedes(_ a: Entry, _ b: Entry, in jobs: [JobTable]) -> Bool {
        if a.identity != b.identity { return a.identity < b.identity }
        return a.job != b.job && ByteOrder.precedes(jobs[Int(a.job)].name, jobs[Int(b.job)].name)
    }

    private static func rise(_ heap: inout ContiguousArray<Entry>, in jobs: [JobTable]) {
        var place = heap.count - 1
        while place > 0, precedes(heap[place], heap[(place - 1) / 2], in: jobs) {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private static func removeFirst(_ heap: inout ContiguousArray<Entry>, in jobs: [JobTable]) {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var place = 0
        while true {
            var first = place
            for child in [2 * place + 1, 2 * place + 2] where child < heap.count {
                if precedes(heap[child], heap[first], in: jobs) { first = child }
            }
            if first == place { return }
            heap.swapAt(place, first)
            place = first
        }
    }
}
