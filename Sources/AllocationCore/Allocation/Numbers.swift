//
// Numbers.swift: the small numbers by which one process knows jobs and collectors.
//
// Dense and never reused within a process, so that a million targets refer to a job or a collector in four bytes.
// They mean nothing outside the process: the ledger and the API speak of names.
//

/// A job of this process.
package struct JobNumber: Hashable, Sendable {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }
}

/// A collector of this process, by name.
package struct CollectorNumber: Hashable, Sendable {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }
}
