//
// AnswerCache.swift: bounds what prepared answers hold in memory.
//
// A million targets are a gigabyte of JSON. Answers hang on the lists they were rendered from and go with them; what is
// left is bounded by the clock algorithm: an answer that was asked for since the hand last passed gets another round.
//

import Synchronization

/// A bound on the bytes of all prepared answers together.
package final class AnswerCache: Sendable {
    private struct Slot {
        weak var answer: PreparedAnswer?
    }

    private struct Clock {
        var slots: [Slot] = []
        var hand = 0
        /// Number of slots at which those of vanished answers are swept out.
        var sweepAt = 1024
    }

    package let bytesMax: Int
    private let bytes = Atomic(0)
    private let clock = Mutex(Clock())

    package init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// Bytes held now.
    package var byteCount: Int { bytes.load(ordering: .relaxed) }

    /// The largest body that is kept: one answer must not push out most others.
    package var bodyBytesMax: Int { bytesMax / 8 }

    func charge(_ amount: Int) { bytes.add(amount, ordering: .relaxed) }

    /// Watches a new answer, and evicts others while there are too many bytes.
    func admit(_ answer: PreparedAnswer) {
        clock.withLock { clock in
            if clock.slots.count >= clock.sweepAt {
                clock.slots.removeAll { $0.answer == nil }
                clock.sweepAt = max(1024, clock.slots.count * 2)
                clock.hand = 0
            }
            clock.slots.append(Slot(answer: answer))
        }
        makeRoom()
    }

    /// Evicts until the bound holds.
    func makeRoom() {
        guard byteCount > bytesMax else { return }
        clock.withLock { clock in
            // Two rounds visit every answer once unmarked.
            var steps = clock.slots.count * 2
            while byteCount > bytesMax, steps > 0, !clock.slots.isEmpty {
                steps -= 1
                if clock.hand >= clock.slots.count { clock.hand = 0 }
                guard let answer = clock.slots[clock.hand].answer else {
                    clock.slots.swapAt(clock.hand, clock.slots.count - 1)
                    clock.slots.removeLast()
                    continue
                }
                if answer.wasUsed.exchange(false, ordering: .relaxed) == false { answer.evict() }
                clock.hand += 1
            }
        }
    }
}
