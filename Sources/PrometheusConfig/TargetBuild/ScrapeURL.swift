//
// ScrapeURL.swift: the URL that a target's labels and its job's parameters make.
//
// Escaping is that of Go's net/url: paths keep `$&+,/:;=@`, query texts keep only unreserved characters and write a
// space as `+`; parameters are sorted by name.
//

import AllocationCore

enum ScrapeURL {
    /// - Parameter params: The job's parameters; a `__param_<name>` label replaces the first value of its name.
    static func text(_ labels: [String: String], params: [String: [String]]) -> String {
        var params = params
        for (name, value) in labels where name.utf8.starts(with: "__param_".utf8) {
            let parameter = String(name.unicodeScalars.dropFirst("__param_".count))
            params[parameter] = [value] + (params[parameter] ?? []).dropFirst()
        }
        let scheme = labels["__scheme__", default: ""]
        var url = (scheme.isEmpty ? "" : scheme + ":") + "//" + labels["__address__", default: ""]
        let path = escaped(labels["__metrics_path__", default: ""], keeping: pathBytes)
        url += path.isEmpty || path.hasPrefix("/") ? path : "/" + path
        let query = params.sorted { ByteOrder.precedes($0.key, $1.key) }.flatMap { name, values in
            values.map { "\(escapedQuery(name))=\(escapedQuery($0))" }
        }
        return query.isEmpty ? url : url + "?" + query.joined(separator: "&")
    }

    private static let pathBytes = Set("-_.~$&+,/:;=@".utf8)
    private static let queryBytes = Set("-_.~ ".utf8)

    private static func escapedQuery(_ text: String) -> String {
        String(escaped(text, keeping: queryBytes).map { $0 == " " ? "+" : $0 })
    }

    private static func escaped(_ text: String, keeping kept: Set<UInt8>) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            if kept.contains(byte) || (byte != UInt8(ascii: "_") && ASCIIClass.isWord(byte)) {
                result.append(byte)
            } else {
                let digits = Array("0123456789ABCDEF".utf8)
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
