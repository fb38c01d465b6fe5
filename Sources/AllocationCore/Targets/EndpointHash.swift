//
// EndpointHash.swift: what a target is scraped at, as one number, whatever else its labels say.
//
// When labels change so that its identity does, a target is another one to the standard API. By its endpoint it is
// known again, and `sticky` leaves it where it was.
//

/// Makes numbers of endpoints: address, scheme, path and parameters, as they are before relabelling. What the scrape
/// configuration adds is the same for all targets of a job, and so are rules: within a job equal numbers mean one endpoint.
struct EndpointHash {
    let table: LabelTable
    private var bytes: [UInt8] = []

    init(table: LabelTable) { self.table = table }

    private static let names: [StaticString] = ["__address__", "__metrics_path__", "__scheme__"]
    private static let parameter: StaticString = "__param_"

    mutating func hash(of labels: LabelSet) -> UInt64 {
        bytes.removeAll(keepingCapacity: true)
        // Labels are sorted by name, so the order of bytes is that of names.
        for id in labels.ids where table.withNameBytes(id, Self.isPartOfEndpoint) {
            table.withPairBytes(id) { bytes.append(contentsOf: $0) }
        }
        return bytes.withUnsafeBytes { XXH64.hash($0) }
    }

    private static func isPartOfEndpoint(_ name: UnsafeRawBufferPointer) -> Bool {
        guard name.count > 8, name[0] == UInt8(ascii: "_"), name[1] == UInt8(ascii: "_") else { return false }
        return name.starts(with: bytes(of: parameter)) || names.contains { name.elementsEqual(bytes(of: $0)) }
    }

    private static func bytes(of text: StaticString) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
