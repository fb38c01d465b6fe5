//
// StandardResponder+Targets.swift: `/jobs/{job}/targets`, the answer that collectors live on.
//

import AllocationCore
import AllocationLedger
import AllocatorRuntime
import NIOCore
import Synchronization

extension StandardResponder {
    private static let emptyList = PreparedAnswer(body: ByteBuffer(string: "[]\n"))

    /// How large the pieces of a streamed body are. Its tag depends on it.
    static let pieceBytesMax = 1 << 20

    /// Measuring that many targets takes the event loop well under a millisecond.
    private static let eventLoopTargetsMax = 4096

    func targets(
        _ question: TargetsQuestion, _ request: StandardRequest, _ caller: Caller
    ) -> PreparedResponse? {
        let job: String
        let collector: String?
        switch (question.job, question.collector) {
        case (.failure(let error), _): return ProblemDetails.undecodable("job", error).response(.targets)
        case (_, .failure(let error)): return ProblemDetails.undecodable("collector_id", error).response(.targets)
        case (.success(let name), .success(let id)): (job, collector) = (name, id)
        }
        guard let snapshot = publisher.current else { return noState(.targets) }
        if snapshot.pendingJobs.contains(job) {
            return stamp(ProblemDetails.notDiscovered(job: job).response(.targets), snapshot)
        }
        guard let collector else { return allCollectors(job, snapshot, request, caller) }
        // What the journal alone holds has no revision yet that could have been delivered.
        let deliveries = snapshot.journal == nil ? deliveries : nil
        guard let list = snapshot.targetList(job: job, collector: collector) else {
            if let emptied = snapshot.emptiedList(job: job, collector: collector) {
                deliveries?.note(emptied, job: job, collector: collector)
            }
            return deliver(Self.emptyList, Self.emptyList.plain ?? ByteBuffer(), request, .targets, snapshot, caller)
        }
        let response = answer(list, snapshot, request, caller)
        if response != nil { deliveries?.note(list, job: job, collector: collector) }
        return response
    }

    // MARK: One collector

    private func answer(
        _ list: TargetList, _ snapshot: AllocationSnapshot, _ request: StandardRequest, _ caller: Caller
    ) -> PreparedResponse? {
        let known = list.preparedAnswer.withLock { $0 as? PreparedAnswer }
        if let known {
            if let body = known.plain { return deliver(known, body, request, .targets, snapshot, caller) }
            if let unchanged = notModified(request, known, .targets, snapshot) { return unchanged }
        }
        if caller == .eventLoop, list.targets.count > Self.eventLoopTargetsMax { return nil }
        let pieces = AnswerPieces(list: list, in: snapshot.table)
        if caller == .eventLoop, pieces.byteCount > Self.eventLoopRenderBytesMax { return nil }
        if pieces.byteCount > cache.bodyBytesMax { return stream(list, known, pieces, snapshot, request) }
        let body = pieces.rendered()
        let answer = known ?? keep(PreparedAnswer(body: body, cache: cache), for: list)
        answer.keep(plain: body)
        cache.makeRoom()
        return deliver(answer, body, request, .targets, snapshot, caller)
    }

    /// A list too large to keep is rendered for each request, after it was rendered once for its tag.
    private func stream(
        _ list: TargetList, _ known: PreparedAnswer?, _ pieces: AnswerPieces, _ snapshot: AllocationSnapshot,
        _ request: StandardRequest
    ) -> PreparedResponse {
        let answer =
            known
            ?? keep(
                PreparedAnswer(hash: Self.hash(pieces), byteCount: pieces.byteCount, body: nil, cache: cache),
                for: list)
        if let unchanged = notModified(request, answer, .targets, snapshot) { return unchanged }
        var response = PreparedResponse(200, .targets, .json, .pieces(pieces))
        response.etag = answer.etag
        return stamp(response, snapshot)
    }

    /// Hangs an answer on its list, unless another thread was faster.
    private func keep(_ answer: PreparedAnswer, for list: TargetList) -> PreparedAnswer {
        let kept = list.preparedAnswer.withLock { slot -> PreparedAnswer in
            if let faster = slot as? PreparedAnswer { return faster }
            slot = answer
            return answer
        }
        if kept === answer { cache.admit(answer) }
        return kept
    }

    /// Each piece's hash is the seed of the next, so the whole is never in memory.
    private static func hash(_ pieces: AnswerPieces) -> UInt64 {
        var cursor = pieces.makeCursor()
        var hash: UInt64 = 0
        while let piece = cursor.next(bytesMax: pieceBytesMax) {
            hash = piece.withUnsafeReadableBytes { XXH64.hash($0, seed: hash) }
        }
        return hash
    }

    // MARK: All collectors

    /// What was made of a job's whole list: right for exactly these collectors.
    private final class WholeAnswer: Sendable {
        let collectors: [String]
        /// A snapshot with these collectors.
        let edition: AllocationSnapshot.Edition
        let answer: PreparedAnswer

        init(_ answer: PreparedAnswer, _ snapshot: AllocationSnapshot) {
            collectors = snapshot.collectors
            edition = snapshot.edition
            self.answer = answer
        }
    }

    /// `{"collector":{"_link":"…","targets":[…]},…}` for every known collector, also for an unknown job. Only small ones
    /// are kept: people ask for them, collectors do not.
    private func allCollectors(
        _ name: String, _ snapshot: AllocationSnapshot, _ request: StandardRequest, _ caller: Caller
    ) -> PreparedResponse? {
        let job = snapshot.job(named: name)
        let known = job.flatMap { wholeAnswer($0, snapshot) }
        if let known {
            if let body = known.plain { return deliver(known, body, request, .targets, snapshot, caller) }
            if let unchanged = notModified(request, known, .targets, snapshot) { return unchanged }
        }
        if caller == .eventLoop, job?.targetCount ?? 0 > Self.eventLoopTargetsMax { return nil }
        let pieces = Self.wholePieces(name, collectors: snapshot.collectors, in: snapshot.table) {
            snapshot.targetList(job: name, collector: $0)
        }
        if caller == .eventLoop, pieces.byteCount > Self.eventLoopRenderBytesMax { return nil }
        guard pieces.byteCount <= cache.bodyBytesMax else {
            return stamp(PreparedResponse(200, .targets, .json, .pieces(pieces)), snapshot)
        }
        let body = pieces.rendered()
        guard let job, pieces.byteCount <= Self.eventLoopRenderBytesMax else {
            return deliver(PreparedAnswer(body: body), body, request, .targets, snapshot, caller)
        }
        let answer = known ?? PreparedAnswer(body: body, cache: cache)
        if known == nil {
            job.preparedAnswer.withLock { $0 = WholeAnswer(answer, snapshot) }
            cache.admit(answer)
        }
        answer.keep(plain: body)
        cache.makeRoom()
        return deliver(answer, body, request, .targets, snapshot, caller)
    }

    /// What is kept of this job, if the collectors are still the same.
    private func wholeAnswer(_ job: JobSnapshot, _ snapshot: AllocationSnapshot) -> PreparedAnswer? {
        job.preparedAnswer.withLock { slot in
            guard let whole = slot as? WholeAnswer else { return nil }
            if whole.edition != snapshot.edition {
                guard whole.collectors == snapshot.collectors else { return nil }
                // The next request of this snapshot need not compare the names.
                slot = WholeAnswer(whole.answer, snapshot)
            }
            return whole.answer
        }
    }

    /// - Parameter collectors: Sorted.
    static func wholePieces(
        _ job: String, collectors: [String], in table: LabelTable, list: (_ collector: String) -> TargetList?
    ) -> AnswerPieces {
        let link = "/jobs/\(QueryComponent.encoded(job))/targets?collector_id="
        var parts: [AnswerPieces.Part] = []
        var text: [UInt8] = Array("{".utf8)
        for (index, collector) in collectors.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            JSONText.appendQuoted(collector, to: &text)
            text += #":{"_link":"#.utf8
            JSONText.appendQuoted(link + QueryComponent.encoded(collector), to: &text)
            text += #","targets":["#.utf8
            if let list = list(collector) {
                parts += [.text(text), .elements(list)]
                text = []
            }
            text += "]}".utf8
        }
        parts.append(.text(text + Array("}\n".utf8)))
        return AnswerPieces(parts, in: table)
    }
}
