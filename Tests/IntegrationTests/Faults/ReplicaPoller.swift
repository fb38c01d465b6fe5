//
// ReplicaPoller.swift: asks one replica twenty times a second for what collectors ask, and tells the checker.
//

import Foundation
import Synchronization

/// A thread for one replica.
final class ReplicaPoller: Sendable {
    /// What the last answers said.
    struct View: Sendable {
        var answeredAt: ContinuousClock.Instant?
        var revision: Int64?
        var journal: Int64?
        var isStale = false
        var isLeading = false
        var readiness = ""
        /// The longest time without an answer since this was last set to zero.
        var silence = Duration.zero
        var staleAnswers = 0
        var journalFullAnswers = 0
    }

    static let interval = Duration.milliseconds(50)

    let replica: Int
    let port: UInt16
    private let collectors: [String]
    private let checker: CheckerBox
    private let life = Mutex(0)
    private let view = Mutex(View())
    private let isStopped = Mutex(false)

    init(replica: Int, port: UInt16, collectors: [String], checker: CheckerBox) {
        self.replica = replica
        self.port = port
        self.collectors = collectors
        self.checker = checker
    }

    var current: View { view.withLock(\.self) }

    /// The process is gone, and another one is about to start.
    func nextLife() { life.withLock { $0 += 1 } }

    func forget() {
        view.withLock {
            $0.silence = .zero
            $0.staleAnswers = 0
            $0.journalFullAnswers = 0
        }
    }

    func start() {
        let thread = Thread { self.run() }
        thread.name = "poller"
        thread.start()
    }

    func stop() { isStopped.withLock { $0 = true } }

    // MARK: The thread

    private func run() {
        var connection = KeptConnection(port: port, timeoutMilliseconds: 1000)
        var connectionLife = 0
        var round = 0
        var due = ContinuousClock.now
        while !isStopped.withLock(\.self) {
            if !connection.isOpen { connectionLife = life.withLock(\.self) }
            let route = route(round)
            round += 1
            do {
                take(try connection.get(path(route)), route, connectionLife)
            } catch {
                if case .garbled(let what) = error {
                    checker.with { $0.violated("replica \(replica) sent no answer: \(what)") }
                }
                view.withLock { view in
                    if let at = view.answeredAt { view.silence = max(view.silence, at.duration(to: .now)) }
                }
            }
            due = max(due + Self.interval, .now - Self.interval)
            let pause = ContinuousClock.now.duration(to: due)
            // The rate of the questions is what is asked for.
            if pause > .zero { usleep(UInt32(pause / .microseconds(1))) }
        }
    }

    /// Half of the questions are for one collector's list.
    private func route(_ round: Int) -> ServedRoute {
        switch round % 6 {
        case 1: .readyz
        case 3: .everyList
        case 5: .jobs
        default: .list((round / 2 + replica) % collectors.count)
        }
    }

    private func path(_ route: ServedRoute) -> String {
        switch route {
        case .readyz: "/readyz"
        case .jobs: "/jobs"
        case .everyList: "/jobs/\(FaultCluster.job)/targets"
        case .list(let collector): "/jobs/\(FaultCluster.job)/targets?collector_id=\(collectors[collector])"
        }
    }

    private func take(_ answer: PlainAnswer, _ route: ServedRoute, _ life: Int) {
        let served = ServedAnswer(
            replica: replica, life: life, route: route, status: answer.status,
            revision: answer.revision.map { Int64($0) },
            journal: answer.headers["target-ledger-journal"].flatMap { Int64($0) },
            digest: route == .readyz ? 0 : ServedAnswer.digest(answer.body),
            isEmptyList: answer.body.starts(with: "[]".utf8))
        checker.with { $0.take(served) }
        view.withLock { view in
            if let at = view.answeredAt { view.silence = max(view.silence, at.duration(to: .now)) }
            view.answeredAt = .now
            if route == .readyz {
                view.readiness = answer.text
                view.isLeading = answer.text.contains("leading")
                if answer.text.contains("the journal takes no more") { view.journalFullAnswers += 1 }
            } else if answer.status == 200 {
                view.revision = served.revision
                view.journal = served.journal
                view.isStale = answer.headers["target-ledger-stale-seconds"] != nil
                if view.isStale { view.staleAnswers += 1 }
            }
        }
    }
}

/// One checker for all replicas.
final class CheckerBox: Sendable {
    private let checker: Mutex<AnswerChecker>

    init(_ checker: AnswerChecker) { self.checker = Mutex(checker) }

    func with<Value: Sendable>(_ body: (inout AnswerChecker) -> Value) -> Value { checker.withLock { body(&$0) } }
}
