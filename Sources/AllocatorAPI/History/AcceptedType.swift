//
// AcceptedType.swift: which of several forms a request would rather have than JSON (RFC 9110, section 12.5.1).
//

/// One part of an `Accept` header.
struct AcceptedType {
    let name: Substring
    /// From 0, not at all, to 1.
    let quality: Double

    private init(_ part: Substring) {
        let parameters = part.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased()[...] }
        name = parameters.first ?? ""
        let quality = parameters.first { $0.hasPrefix("q=") }
        self.quality = quality.flatMap { Double($0.dropFirst(2)) } ?? 1
    }

    /// - Parameters:
    ///   - types: Offered beside JSON.
    ///   - fields: Values of `Accept`.
    /// - Returns: Nil: JSON, which everybody has who says nothing, and who takes whatever there is.
    static func preferred(of types: [String], _ fields: [String]) -> String? {
        var best: (type: String?, quality: Double) = (nil, 0)
        for field in fields {
            for accepted in field.split(separator: ",").map(AcceptedType.init) where accepted.quality > best.quality {
                if let type = types.first(where: { $0 == accepted.name }) {
                    best = (type, accepted.quality)
                } else if ["application/json", "application/*", "*/*"].contains(accepted.name) {
                    best = (nil, accepted.quality)
                }
            }
        }
        return best.type
    }
}
