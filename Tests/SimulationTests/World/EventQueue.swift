//
// EventQueue.swift: what will happen, earliest first; of one instant in the order in which it was asked for.
//

/// A binary heap.
struct EventQueue {
    private struct Event {
        let time: SimulatedTime
        let number: Int
        let action: () -> Void

        func precedes(_ other: Event) -> Bool { time != other.time ? time < other.time : number < other.number }
    }

    private var heap: ContiguousArray<Event> = []
    private var count = 0

    var nextTime: SimulatedTime? { heap.first?.time }

    mutating func push(_ time: SimulatedTime, _ action: @escaping () -> Void) {
        count += 1
        heap.append(Event(time: time, number: count, action: action))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Must not be empty.
    mutating func pop() -> () -> Void {
        heap.swapAt(0, heap.count - 1)
        let action = heap.removeLast().action
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].precedes(heap[least]) { least = child }
            }
            guard least != parent else { return action }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
