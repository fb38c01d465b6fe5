//
// Simulation.swift: time, chance and the order of events of one run.
//

import TestSupport

/// Microseconds since the simulation began, on a clock that nobody in it has.
typealias SimulatedTime = Int64

extension SimulatedTime {
    static func seconds(_ value: Double) -> SimulatedTime { SimulatedTime(value * 1_000_000) }
    static func milliseconds(_ value: Double) -> SimulatedTime { SimulatedTime(value * 1_000) }
}

/// A discrete-event simulation. Everything that happens is an event at an instant; events of one instant happen in the
/// order in which they were asked for.
final class Simulation {
    private(set) var now: SimulatedTime = 0
    private var random: SplitMix64
    private var events = EventQueue()
    private let executor = SimulatedExecutor()
    /// What happened, newest last; nil: not kept.
    private(set) var trace: [String]?
    /// The first rule that was broken.
    private(set) var violation: Violation?
    private(set) var eventCount = 0

    init(seed: UInt64, isTraced: Bool) {
        random = SplitMix64(state: seed)
        trace = isTraced ? [] : nil
    }

    // MARK: Events

    func after(_ delay: SimulatedTime, _ action: @escaping () -> Void) { at(now + max(0, delay), action) }

    func at(_ time: SimulatedTime, _ action: @escaping () -> Void) { events.push(max(time, now), action) }

    /// Starts a task of the simulation.
    func spawn(_ body: @escaping () async -> Void) {
        let box = Confined(body: body)
        Task(executorPreference: executor) { await box.body() }
    }

    /// Lets everything happen up to an instant, or up to the first violation.
    func run(until end: SimulatedTime) {
        executor.drain()
        while violation == nil, let time = events.nextTime, time <= end {
            now = time
            events.pop()()
            executor.drain()
            eventCount += 1
        }
        if violation == nil { now = end }
    }

    /// Lets tasks that were just ended unwind.
    func settle() { executor.drain() }

    // MARK: Chance

    /// At least 0, less than 1.
    func fraction() -> Double { Double(random.next() >> 11) * 0x1p-53 }

    func chance(_ probability: Double) -> Bool { probability > 0 && fraction() < probability }

    func number(below bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    func seconds(_ range: ClosedRange<Double>) -> SimulatedTime {
        .seconds(range.lowerBound + fraction() * (range.upperBound - range.lowerBound))
    }

    func bits() -> UInt64 { random.next() }

    // MARK: What happened

    /// Notes what happened, where somebody wants to know.
    func note(_ who: @autoclosure () -> String, _ what: @autoclosure () -> String) {
        guard trace != nil else { return }
        trace?.append("\(Self.text(now))  \(who().padding(6))  \(what())")
    }

    /// Notes that a rule is broken. Only the first counts; the run ends with it.
    func violate(_ rule: Rule, _ evidence: @autoclosure () -> String) {
        guard violation == nil else { return }
        violation = Violation(rule: rule, evidence: evidence(), at: now)
        note("!!", "\(rule.rawValue): \(violation?.evidence ?? "")")
    }

    static func text(_ time: SimulatedTime) -> String {
        let micros = String(time % 1_000_000)
        return String(time / 1_000_000).padding(4, left: true) + "."
            + String(repeating: "0", count: 6 - micros.count) + micros
    }
}

/// A rule that holds at every step.
enum Rule: String, Sendable, Hashable {
    case oneTrusted = "two processes trust a lease at once"
    case oneWriter = "a revision is committed in a term that is over, or two processes write in one epoch"
    case numbers = "a number is missing or given twice"
    case chain = "a revision does not continue the one before"
    case replay = "the events, the current tables and the memory of a replica differ"
    case served = "what is served is not the state at the revision that it names"
    case emptied = "something is removed that nobody has seen to be gone"
    case reason = "a change without a reason that is true"
    case onceOnly = "a change is recorded twice"
    case lost = "something that was served is neither in the ledger nor recorded as lost"
    case gap = "a time without recording is not recorded"
    case catchUp = "a replica does not reach the head"
}

struct Violation: Sendable, CustomStringConvertible {
    var rule: Rule
    var evidence: String
    var at: SimulatedTime

    var description: String { "\(rule.rawValue), after \(Simulation.text(at).trimmed) s: \(evidence)" }
}

/// Carries a task's body to its task.
// @unchecked: whatever a body reaches belongs to one simulation, and all of that runs on the thread that runs it.
private struct Confined: @unchecked Sendable {
    let body: () async -> Void
}

extension String {
    func padding(_ width: Int, left: Bool = false) -> String {
        let spaces = String(repeating: " ", count: max(0, width - count))
        return left ? spaces + self : self + spaces
    }

    fileprivate var trimmed: String { String(drop { $0 == " " }) }
}
