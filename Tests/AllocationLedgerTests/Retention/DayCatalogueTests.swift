import PostgresDriver
import Testing

@testable import AllocationLedger

/// Goal: no day is sealed before it is over, none is dropped out of order, before its time, or against a hold.
///
/// Method: made-up days; no database, no clock.
@Suite struct DayCatalogueTests {
    private let first = RetentionDay("2026-02-27").unsafelyUnwrapped

    private func catalogue(
        _ days: Int, sealed: Int = 0, holds: [LegalHold] = [], secondsIntoToday: Int64 = 43_200
    ) -> DayCatalogue {
        let list = (0..<days).map { index in
            DayStatus(
                day: RetentionDay(number: first.number + Int64(index)), partitions: [],
                sealedRows: index < sealed ? 0 : nil, sealedBy: index < sealed ? 1 : nil, bytes: 0)
        }
        return DayCatalogue(
            days: list, holds: holds,
            now: RetentionDay(number: first.number + Int64(days - 1)).start.advanced(by: .seconds(secondsIntoToday)),
            firstRecorded: first)
    }

    private func hold(on index: Int64) -> LegalHold {
        let day = RetentionDay(number: first.number + index)
        return LegalHold(
            number: 7, from: day.start.advanced(by: .seconds(60)), to: day.start.advanced(by: .seconds(120)),
            reason: "case", placedAt: day.start, placedBy: "test")
    }

    @Test("Days are counted from 1970 in UTC, also across a month's end and before 1970")
    func days() {
        #expect(first.description == "2026-02-27")
        #expect(first.next.next.description == "2026-03-01")
        #expect(first.next.next.suffix == "20260301")
        #expect(RetentionDay(of: first.end) == first.next)
        #expect(RetentionDay(of: first.end.advanced(by: .microseconds(-1))) == first)
        #expect(RetentionDay(of: Timestamp(microsecondsSince1970: -1)).description == "1969-12-31")
        #expect(RetentionDay("2026-2-27") == nil)
        #expect(HistoryTable(partition: first.partition(of: .discoveryReport)) == .discoveryReport)
    }

    @Test("A day is sealed some minutes after its end", arguments: [(299, 1), (300, 2)] as [(Int64, Int)])
    func sealable(seconds: Int64, expected: Int) {
        #expect(catalogue(3, secondsIntoToday: seconds).sealable.count == expected)
    }

    @Test("Nothing is sealed before something was recorded")
    func nothingRecorded() {
        var empty = catalogue(3)
        empty.firstRecorded = empty.days[2].day
        #expect(empty.sealable.isEmpty)
        empty.firstRecorded = nil
        #expect(empty.sealable.isEmpty)
    }

    @Test("The day before today and today stay, sealed or not")
    func recent() {
        let all = catalogue(4, sealed: 4)
        #expect(all.droppable(before: .distantFuture).map(\.description) == ["2026-02-27", "2026-02-28"])
        #expect(all.obstacles(before: .distantFuture)[2].obstacle == .tooRecent)
    }

    @Test("An unsealed or held day stays, and so does every day after it")
    func order() {
        let unsealed = catalogue(6, sealed: 1)
        #expect(unsealed.droppable(before: .distantFuture).count == 1)
        #expect(unsealed.obstacles(before: .distantFuture)[1].obstacle == .notSealed)
        let held = catalogue(8, sealed: 8, holds: [hold(on: 2)])
        let obstacles = held.obstacles(before: .distantFuture).map(\.obstacle)
        #expect(obstacles.prefix(4) == [nil, nil, .held(by: [7]), .follows(RetentionDay(number: first.number + 2))])
        #expect(held.droppable(before: first.end).count == 1)
        #expect(held.droppable(before: first.end.advanced(by: .microseconds(-1))).isEmpty)
    }
}

/// Goal: retention's work is done at the beginning of a term and once a day, whatever the hour it began at.
@Suite struct RetentionScheduleTests {
    private let day = RetentionDay("2026-02-27").unsafelyUnwrapped

    @Test("Once at the beginning, then after each midnight, its margin and the jitter")
    func nightly() {
        var schedule = RetentionSchedule(jitter: .seconds(60))
        let noon = day.start.advanced(by: .seconds(43_200))
        #expect(schedule.isDue(at: noon))
        schedule.noteDone(at: noon, isFinished: true)
        #expect(!schedule.isDue(at: day.end.advanced(by: .seconds(359))))
        #expect(schedule.isDue(at: day.end.advanced(by: .seconds(360))))
        schedule.beginTerm()
        #expect(schedule.isDue(at: noon))
    }

    @Test("Begun just after midnight, it is done again when the day before can be sealed")
    func justAfterMidnight() {
        var schedule = RetentionSchedule(jitter: .seconds(60))
        schedule.noteDone(at: day.start.advanced(by: .seconds(10)), isFinished: true)
        #expect(!schedule.isDue(at: day.start.advanced(by: .seconds(359))))
        #expect(schedule.isDue(at: day.start.advanced(by: .seconds(360))))
    }

    @Test("What was left over is looked after again a minute later")
    func leftOver() {
        var schedule = RetentionSchedule(jitter: .zero)
        let noon = day.start.advanced(by: .seconds(43_200))
        schedule.noteDone(at: noon, isFinished: false)
        #expect(!schedule.isDue(at: noon.advanced(by: .seconds(59))))
        #expect(schedule.isDue(at: noon.advanced(by: .seconds(60))))
    }

    @Test("A request is taken by its own and by later terms, until it is done")
    func requests() {
        #expect(OperatorRequest.State.asked.mayBeTaken(in: 1))
        #expect(OperatorRequest.State.taken(epoch: 2).mayBeTaken(in: 2))
        #expect(OperatorRequest.State.taken(epoch: 2).mayBeTaken(in: 3))
        #expect(!OperatorRequest.State.taken(epoch: 2).mayBeTaken(in: 1))
        #expect(!OperatorRequest.State.done(.init(succeeded: false, text: "")).mayBeTaken(in: 9))
    }

    @Test("A partition is detached, then dropped, from wherever it was left")
    func steps() {
        #expect(
            DropStep(.attached) == .detach && DropStep(.detaching) == .finishDetaching && DropStep(.detached) == .drop)
        #expect(DropStep.detach.next == .drop && DropStep.finishDetaching.next == .drop && DropStep.drop.next == nil)
    }
}
