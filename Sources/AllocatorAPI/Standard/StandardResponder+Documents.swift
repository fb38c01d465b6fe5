//
// StandardResponder+Documents.swift: `/scrape_configs` and `/jobs`, of which there is one each per revision.
//

import AllocationCore
import AllocationLedger
import AllocatorRuntime
import NIOCore
import Synchronization

/// The last documents that were rendered.
struct DocumentAnswers: Sendable {
    struct ScrapeConfigs: Sendable {
        let document: ScrapeConfigDocument
        /// Nil when secrets must be shown but are not known.
        let answer: PreparedAnswer?
    }

    struct Jobs: Sendable {
        let edition: AllocationSnapshot.Edition
        let answer: PreparedAnswer
    }

    var scrapeConfigs: ScrapeConfigs?
    var jobs: Jobs?
}

extension StandardResponder {
    // MARK: /scrape_configs

    func scrapeConfigs(_ request: StandardRequest, _ caller: Caller) -> PreparedResponse? {
        guard let snapshot = publisher.current, !snapshot.scrapeConfigs.redacted.isEmpty else {
            return noState(.scrapeConfigs)
        }
        if request.acceptsHTML {
            guard caller == .task else { return nil }
            return page(.scrapeConfigs) { StandardPages.scrapeConfigs($0, site) }
        }
        guard let answer = scrapeConfigAnswer(snapshot.scrapeConfigs) else {
            return ProblemDetails.secretsUnknown.response(.scrapeConfigs)
        }
        let body = answer.plain ?? ByteBuffer()
        return deliver(answer, body, request, .scrapeConfigs, snapshot, caller, effort: .thorough)
    }

    private func scrapeConfigAnswer(_ document: ScrapeConfigDocument) -> PreparedAnswer? {
        let known = documents.withLock { $0.scrapeConfigs }
        // Documents that are handed on share their storage, which makes this comparison short.
        if let known, known.document == document { return known.answer }
        let body: [UInt8]? =
            if !showsSecrets {
                document.redacted
            } else {
                document.clear ?? (Self.hasPlaceholder(document.redacted) ? nil : document.redacted)
            }
        let answer = body.map { PreparedAnswer(body: ByteBuffer(bytes: $0)) }
        documents.withLock { $0.scrapeConfigs = .init(document: document, answer: answer) }
        return answer
    }

    /// Whether a secret was left out. A collector would use the placeholder as the password.
    private static func hasPlaceholder(_ document: [UInt8]) -> Bool {
        document.firstRange(of: #"\u003csecret\u003e"#.utf8) != nil
    }

    // MARK: /jobs

    /// With more jobs than this, the event loop leaves rendering to a task.
    private static let eventLoopJobsMax = 2048

    func jobs(_ request: StandardRequest, _ caller: Caller) -> PreparedResponse? {
        guard let snapshot = publisher.current else { return noState(.jobs) }
        if request.acceptsHTML {
            guard caller == .task else { return nil }
            return page(.jobs) { StandardPages.jobs($0, site) }
        }
        let known = documents.withLock { $0.jobs }
        let answer: PreparedAnswer
        if let known, known.edition == snapshot.edition {
            answer = known.answer
        } else {
            if caller == .eventLoop, snapshot.jobs.count > Self.eventLoopJobsMax { return nil }
            answer = PreparedAnswer(body: ByteBuffer(bytes: Self.jobLinks(snapshot.jobs.map(\.name))))
            documents.withLock { $0.jobs = .init(edition: snapshot.edition, answer: answer) }
        }
        return deliver(answer, answer.plain ?? ByteBuffer(), request, .jobs, snapshot, caller)
    }

    /// `{"job":{"_link":"/jobs/job/targets"},…}`, jobs with targets only.
    ///
    /// - Parameter jobs: Sorted.
    static func jobLinks(_ jobs: [String]) -> [UInt8] {
        var text: [UInt8] = Array("{".utf8)
        for (index, job) in jobs.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            JSONText.appendQuoted(job, to: &text)
            text += #":{"_link":"/jobs/"#.utf8
            text += QueryComponent.encoded(job).utf8
            text += #"/targets"}"#.utf8
        }
        text += "}\n".utf8
        return text
    }
}
