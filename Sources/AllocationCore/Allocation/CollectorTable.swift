//
// CollectorTable.swift: the collectors this process has seen, which of them are present, and how much each has.
//

/// Collectors by number.
struct CollectorTable: Sendable {
    /// By ``CollectorNumber``; a name keeps its number when it leaves and comes back.
    private(set) var all: [Collector] = []
    private(set) var isPresent: [Bool] = []
    /// Targets assigned, by ``CollectorNumber``.
    var targetCounts: [Int] = []
    private var numbers: [String: CollectorNumber] = [:]

    func number(of name: String) -> CollectorNumber? { numbers[name] }

    /// Present collectors' names, sorted bytewise.
    var presentNames: [String] {
        zip(all, isPresent).filter(\.1).map(\.0.name).sorted(by: ByteOrder.precedes)
    }

    mutating func add(_ collector: Collector, isPresent present: Bool) -> CollectorNumber {
        if let number = numbers[collector.name] {
            all[Int(number.rawValue)] = collector
            isPresent[Int(number.rawValue)] = present
            return number
        }
        let number = CollectorNumber(rawValue: Int32(all.count))
        all.append(collector)
        isPresent.append(present)
        targetCounts.append(0)
        numbers[collector.name] = number
        return number
    }

    mutating func leave(_ number: CollectorNumber) { isPresent[Int(number.rawValue)] = false }
}
