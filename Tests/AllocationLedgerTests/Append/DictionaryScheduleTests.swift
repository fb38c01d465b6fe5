//
// DictionaryScheduleTests.swift: the order in which several sessions write dictionary rows.
//

import TestSupport
import Testing

@testable import AllocationLedger

/// Goal: every row is written once, no two parts of a table at a time, and no label set before its labels.
///
/// Method: the schedule is driven by simulated sessions that finish in random order.
@Suite struct DictionaryScheduleTests {
    /// Each label set needs the first three labels more than the one before it.
    private func schedule(labels: Int, labelSets: Int, targets: Int) -> DictionarySchedule {
        DictionarySchedule(labels: labels, labelSets: labelSets, targets: targets, rowsOfPartMax: 10) { rows in
            min(labels, 3 * rows.upperBound)
        }
    }

    @Test("Any order of finishing keeps the rules", arguments: 1...40 as ClosedRange<UInt64>)
    func rules(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        let labels = Int.random(in: 0..<120, using: &random)
        let (labelSets, targets) = ((labels + 2) / 3, Int.random(in: 0..<60, using: &random))
        var schedule = schedule(labels: labels, labelSets: labelSets, targets: targets)
        let sessions = Int.random(in: 1...4, using: &random)
        var underWay: [DictionarySchedule.Part] = []
        var written: [DictionarySchedule.Table: Int] = [:]
        while !schedule.isDone {
            while underWay.count < sessions, let part = schedule.next() {
                #expect(!underWay.contains { $0.table == part.table }, "two parts of \(part.table)")
                #expect(!part.rows.isEmpty && part.rows.count <= 10)
                if part.table == .labelSets {
                    #expect(written[.labels, default: 0] >= min(labels, 3 * part.rows.upperBound))
                }
                underWay.append(part)
            }
            let part = try #require(underWay.isEmpty ? nil : underWay.randomElement(using: &random), "stuck")
            underWay.removeAll { $0 == part }
            #expect(part.rows.lowerBound == written[part.table, default: 0])
            written[part.table] = part.rows.upperBound
            schedule.finish(part)
        }
        #expect(underWay.isEmpty && schedule.next() == nil)
        #expect(written[.labels, default: 0] == labels)
        #expect(written[.labelSets, default: 0] == labelSets)
        #expect(written[.targets, default: 0] == targets)
    }

    @Test("A second session writes targets while the labels that the label sets need are on their way")
    func overlap() {
        var schedule = schedule(labels: 30, labelSets: 10, targets: 10)
        #expect(schedule.next() == .init(table: .labels, rows: 0..<10))
        #expect(schedule.next() == .init(table: .targets, rows: 0..<10))
        #expect(schedule.next() == nil)
    }
}
