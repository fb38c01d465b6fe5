//
// HistoryLink.swift: the addresses of the history's pages.
//
// Lists are in the plural; one of them is in the singular and named by a query, because names of jobs have slashes in
// them, which proxies like to decode.
//

import AllocationCore
import AllocationLedger

enum HistoryLink {
    static func target(_ target: RecordedTarget) -> Link { self.target(target.identity, job: target.job) }

    static func target(_ identity: TargetIdentity, job: String?) -> Link {
        Link("/history/target", ["identity": "\(identity.rawValue)", "job": job])
    }

    static func why(_ identity: TargetIdentity, job: String?, at: String? = nil) -> Link {
        Link("/history/why", ["target": "\(identity.rawValue)", "job": job, "at": at])
    }

    static func collector(_ name: String) -> Link { Link("/history/collector", ["name": name]) }
    static func job(_ name: String) -> Link { Link("/history/job", ["name": name]) }
    static func revision(_ number: Int64) -> Link { Link("/history/revision", ["number": "\(number)"]) }
}
