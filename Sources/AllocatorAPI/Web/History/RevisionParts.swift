//
// RevisionParts.swift: how pages show revisions.
//

import AllocationLedger
import PostgresDriver

enum RevisionParts {
    static func table(_ caption: String, ifEmpty: String = "There is none.") -> DataTable<RevisionSummary> {
        DataTable(
            caption, ifEmpty: ifEmpty,
            [
                .init("Revision", number: true) { EventParts.revision($0.revision) },
                .init("Time") { TimeText.html($0.at) },
                .init("Cause") { EventParts.cause($0.cause, $0.causeDetail) },
                .number("Added") { $0.targetsAdded }, .number("Removed") { $0.targetsRemoved },
                .number("Moved") { $0.targetsMoved }, .number("Relabelled") { $0.targetsRelabelled },
                .number("Collector events") { $0.collectorEvents },
                .init("Written by") { Parts.optional($0.replicaAddress ?? "\($0.replica)") },
            ])
    }
}
