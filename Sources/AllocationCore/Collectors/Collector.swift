//
// Collector.swift: who can be given targets.
//

/// A collector as it was discovered. Its name is what it sends as `collector_id`.
package struct Collector: Hashable, Sendable {
    package var name: String
    /// The node it runs on; read by `per-node`.
    package var nodeName: String?
    /// Distinguishes incarnations under one name, for instance a pod's UID.
    package var uid: String?

    package init(name: String, nodeName: String? = nil, uid: String? = nil) {
        self.name = name
        self.nodeName = nodeName
        self.uid = uid
    }
}
