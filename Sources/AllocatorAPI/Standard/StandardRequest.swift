//
// StandardRequest.swift: what of a request decides its answer.
//

/// A request of the standard API, however it was read from the wire.
package struct StandardRequest: Sendable, Hashable {
    package enum Method: Sendable, Hashable {
        case get, head, other
    }

    package var method: Method
    /// The request target as it was sent: still encoded, query included.
    package var target: String
    /// `Accept` contains `text/html`.
    package var acceptsHTML = false
    package var acceptsGzip = false
    package var ifNoneMatch: String?

    /// A GET.
    package init(_ target: String) { self.init(.get, target) }

    package init(_ method: Method, _ target: String) {
        self.method = method
        self.target = target
    }

    /// Takes one `Accept` field.
    package mutating func add(accept value: UnsafeRawBufferPointer) {
        if ASCII.containsIgnoringCase(value, "text/html") { acceptsHTML = true }
    }

    /// Takes one `Accept-Encoding` field. An encoding of quality 0 is refused, `*` stands for those not named.
    package mutating func add(acceptEncoding value: UnsafeRawBufferPointer) {
        var named: Bool?
        var others: Bool?
        ASCII.forEachPart(of: value, separatedBy: UInt8(ascii: ",")) { element in
            let end = ASCII.firstIndex(of: UInt8(ascii: ";"), in: element) ?? element.count
            let name = ASCII.trimmed(ASCII.cut(element, 0, end))
            if ASCII.isEqualIgnoringCase(name, "gzip") || ASCII.isEqualIgnoringCase(name, "x-gzip") {
                named = !Self.isQualityZero(ASCII.cut(element, end, element.count))
            } else if ASCII.isEqual(name, "*") {
                others = !Self.isQualityZero(ASCII.cut(element, end, element.count))
            }
            return named == nil
        }
        if let accepted = named ?? others { acceptsGzip = accepted }
    }

    /// Whether parameters such as `; q=0.0` say that an encoding is refused.
    private static func isQualityZero(_ parameters: UnsafeRawBufferPointer) -> Bool {
        var isZero = false
        ASCII.forEachPart(of: parameters, separatedBy: UInt8(ascii: ";")) { parameter in
            guard parameter.count > 2, ASCII.isEqualIgnoringCase(ASCII.cut(parameter, 0, 2), "q=") else { return true }
            isZero = parameter.dropFirst(2).allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
            return false
        }
        return isZero
    }
}
