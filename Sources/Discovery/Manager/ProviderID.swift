//
// ProviderID.swift: names a running discoverer.
//

/// One running discoverer: jobs whose sections are equal share it.
package struct ProviderID: Hashable, Sendable, CustomStringConvertible {
    /// `static`, `file`, `http`.
    package let mechanism: String
    /// What it reads, without secrets: the job for `static`, patterns, a URL. Sections that differ only in what is not
    /// shown (a password) are told apart by a trailing `#2`.
    package let key: String
    /// `mechanism/key`; stands for the provider in the names of sources.
    package let description: String

    package init(mechanism: String, key: String) {
        self.mechanism = mechanism
        self.key = key
        description = "\(mechanism)/\(key)"
    }
}
