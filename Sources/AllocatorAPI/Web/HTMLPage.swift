//
// HTMLPage.swift: a plain page of tables, as upstream's pages are (spec/target-allocator.md 4.6).
//

import NIOCore

/// A page: a title, links to the other pages, tables.
struct HTMLPage {
    /// What stands in a table's cell. All text is escaped.
    enum Cell {
        case text(String)
        case link(String, to: String)
        case preformatted(String)
    }

    struct Table {
        let header: [String]
        var rows: [[Cell]]
    }

    let title: String
    var tables: [Table]

    func response(_ route: RoutePattern) -> PreparedResponse {
        PreparedResponse(200, route, .html, .bytes(ByteBuffer(string: html)))
    }

    var html: String {
        let title = Self.escaped(title)
        var html = """
            <!DOCTYPE html>
            <html lang="en">
            <head><meta charset="utf-8"><title>\(title)</title><style>\(Self.style)</style></head>
            <body>
            <h1>\(title)</h1>
            <nav><ul><li><a href="/">Home</a></li><li><a href="/scrape_configs">Scrape Configs</a></li>\
            <li><a href="/jobs">Jobs</a></li></ul></nav>

            """
        for table in tables { html += Self.html(table) }
        return html + "</body>\n</html>\n"
    }

    private static let style = """
        :root{color-scheme:light dark}body{font-family:sans-serif;margin:2rem}table{border-collapse:collapse;\
        margin:1rem 0}th,td{text-align:left;vertical-align:top;padding:.25rem .75rem}\
        tbody tr:nth-child(even){background:rgba(128,128,128,.15)}nav ul{padding:0}nav li{display:inline;margin-right:1rem}
        """

    private static func html(_ table: Table) -> String {
        var html = "<table>\n<thead><tr>"
        for name in table.header { html += "<th>\(escaped(name))</th>" }
        html += "</tr></thead>\n<tbody>\n"
        for row in table.rows { html += "<tr>" + row.map { "<td>\(Self.html($0))</td>" }.joined() + "</tr>\n" }
        return html + "</tbody>\n</table>\n"
    }

    private static func html(_ cell: Cell) -> String {
        switch cell {
        case .text(let text): escaped(text)
        case .link(let text, let target): "<a href=\"\(escaped(target))\">\(escaped(text))</a>"
        case .preformatted(let text): "<pre>\(escaped(text))</pre>"
        }
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&#34;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
