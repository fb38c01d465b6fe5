//
// LoadOrder.swift: who has the fewest targets and who the most, without looking at everybody.
//
// Two tournaments over the collectors in the order of their names: each place of a tree names the winner of the two
// below it, so a changed load is put right along one path to the root, 10 places for 1,000 collectors.
//

/// Collectors by load.
///
/// Example with loads a: 3, b: 2, c: 2: the lightest is `b` (of equals the smallest name), the heaviest `a`. After
/// `add(1, to: b)` the lightest is `c`.
///
/// Invariant: the answers depend on names and loads alone, never on the order of changes.
struct LoadOrder: Sendable {
    /// Collector numbers, sorted bytewise by name.
    private let members: ContiguousArray<Int32>
    /// Place in `members` by collector number; -1 for those that are not in it.
    private var places: ContiguousArray<Int32>
    /// By place.
    private var loads: ContiguousArray<Int>
    /// The least power of two that has room for all.
    private let width: Int
    /// Places of winners: the root is 1, the two below `n` are `2n` and `2n + 1`, the leaves begin at `width`. -1 where
    /// nobody is.
    private var lightestBelow: ContiguousArray<Int32>
    private var heaviestBelow: ContiguousArray<Int32>

    /// - Parameters:
    ///   - members: Collector numbers, sorted bytewise by name.
    ///   - collectorCount: More than any member's number.
    init(_ members: ContiguousArray<Int32>, collectorCount: Int, load: (Int32) -> Int) {
        self.members = members
        places = ContiguousArray(repeating: -1, count: collectorCount)
        for (place, member) in members.enumerated() { places[Int(member)] = Int32(place) }
        loads = ContiguousArray(members.map(load))
        var width = 1
        while width < members.count { width *= 2 }
        self.width = width
        lightestBelow = ContiguousArray(repeating: -1, count: 2 * width)
        for place in members.indices { lightestBelow[width + place] = Int32(place) }
        heaviestBelow = lightestBelow
        for node in stride(from: width - 1, to: 0, by: -1) { play(node) }
    }

    var isEmpty: Bool { members.isEmpty }

    /// Of the lightest the one with the smallest name. There must be one.
    var lightest: Int32 { members[Int(lightestBelow[1])] }

    /// Of the heaviest the one with the smallest name. There must be one.
    var heaviest: Int32 { members[Int(heaviestBelow[1])] }

    /// By how much the heaviest exceeds the lightest; 0 without members.
    var spread: Int { isEmpty ? 0 : loads[Int(heaviestBelow[1])] - loads[Int(lightestBelow[1])] }

    /// Changes a load. A collector that is not a member has none.
    mutating func add(_ change: Int, to collector: Int32) {
        guard Int(collector) < places.count, places[Int(collector)] >= 0 else { return }
        let place = Int(places[Int(collector)])
        loads[place] += change
        var node = (width + place) / 2
        while node > 0 {
            play(node)
            node /= 2
        }
    }

    private mutating func play(_ node: Int) {
        // Names are in order from left to right, so of equals the left one wins.
        let (left, right) = (lightestBelow[2 * node], lightestBelow[2 * node + 1])
        lightestBelow[node] = right >= 0 && loads[Int(right)] < loads[Int(left)] ? right : left
        let (first, second) = (heaviestBelow[2 * node], heaviestBelow[2 * node + 1])
        heaviestBelow[node] = second >= 0 && loads[Int(second)] > loads[Int(first)] ? second : first
    }
}
