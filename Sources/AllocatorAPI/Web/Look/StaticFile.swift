//
// StaticFile.swift: what pages refer to. The name holds the content's hash, so a browser may keep it for good and a new
// version is another file.
//

import AllocationCore
import NIOCore

/// A file that is the same for everybody.
struct StaticFile: Sendable {
    let path: String
    let contentType: PreparedResponse.ContentType
    let body: ByteBuffer
    let etag: EntityTag

    var link: Link { Link(path: path, pairs: []) }

    private init(_ name: String, _ ending: String, _ contentType: PreparedResponse.ContentType, _ text: String) {
        let hash = XXH64.hash(text)
        path = "/assets/\(name)-\(String(hash, radix: 36)).\(ending)"
        body = ByteBuffer(string: text)
        etag = EntityTag(hash: hash)
        self.contentType = contentType
    }

    static let style = StaticFile("style", "css", .css, StyleSheet.text)

    /// Three lanes and a move between them. An image of its own, whose style the page's policy does not touch.
    static let icon = StaticFile(
        "icon", "svg", .svg,
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" \
        fill="#1a55bf"/><path d="M5 9h10M15 16h12M9 23h18" stroke="#fff" stroke-width="4" stroke-linecap="round"/></svg>
        """)

    static let all = [style, icon]

    static func at(_ path: some StringProtocol) -> StaticFile? { all.first { $0.path == path } }

    func response(_ request: StandardRequest) -> PreparedResponse {
        var response = PreparedResponse(200, .asset, contentType, .bytes(body))
        if let known = request.ifNoneMatch, etag.isNamed(by: known) { response = PreparedResponse(304, .asset) }
        response.etag = etag
        response.keepsForGood = true
        response.omitsBody = request.method == .head
        return response
    }
}
