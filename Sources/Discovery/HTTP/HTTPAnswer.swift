//
// HTTPAnswer.swift: which answers of a server are lists of target groups (spec/prometheus-sd.md 7).
//

import HTTPTransport

/// Why an answer is not taken.
enum HTTPAnswerError: Error, Equatable, CustomStringConvertible {
    case status(Int, String)
    case contentType(String)

    var description: String {
        switch self {
        case .status(let status, let reason):
            "server returned HTTP status \(status)\(reason.isEmpty ? "" : " \(reason)")"
        case .contentType(let type): "unsupported content type \"\(type)\""
        }
    }
}

enum HTTPAnswer {
    /// Only 200 and only JSON: what else says it is fine (204, 201, a login page) has no targets to show.
    static func check(_ head: HTTPHead) throws(HTTPAnswerError) {
        guard head.status == 200 else { throw .status(head.status, head.reason) }
        let type = head.fields["Content-Type"] ?? ""
        guard isJSON(type) else { throw .contentType(type) }
    }

    /// `^(?i:application\/json(;\s*charset=("utf-8"|utf-8))?)$`, around which white space may stand.
    static func isJSON(_ type: String) -> Bool {
        let type = type.lowercased()
        func trimmed(_ text: Substring) -> Substring {
            var text = text
            while text.first?.isWhitespace == true { text.removeFirst() }
            while text.last?.isWhitespace == true { text.removeLast() }
            return text
        }
        var rest = trimmed(type[...])
        guard rest.hasPrefix("application/json") else { return false }
        rest = rest.dropFirst("application/json".count)
        if rest.isEmpty { return true }
        guard rest.first == ";" else { return false }
        rest = rest.dropFirst()
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        return rest == "charset=utf-8" || rest == "charset=\"utf-8\""
    }
}
