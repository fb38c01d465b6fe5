//
// PageCrawl.swift: follows the links of the pages of one listener, as a browser would, and keeps what it was answered.
//

import Foundation

/// Every page that links lead to from the first ones, up to a bound.
struct PageCrawl {
    struct Visit {
        var path: String
        /// The page on which the link stood.
        var from: String
        var answer: PlainAnswer
    }

    private(set) var visits: [Visit] = []
    /// Links that were not followed because of the bound.
    private(set) var left = 0

    /// - Parameters:
    ///   - each: How many links of one page's path are followed: there are as many pages of targets as targets.
    ///   - get: Answers a path.
    init(from first: [String], each: Int = 6, _ get: (String) throws -> PlainAnswer) throws {
        var waiting = first.map { (path: $0, from: "the start") }
        var seen = Set(first)
        var counts: [String: Int] = [:]
        while !waiting.isEmpty {
            let (path, from) = waiting.removeFirst()
            let answer = try get(path)
            visits.append(Visit(path: path, from: from, answer: answer))
            guard answer.headers["content-type"]?.hasPrefix("text/html") == true else { continue }
            for link in Self.links(answer.text) where seen.insert(link).inserted {
                let page = String(link.prefix { $0 != "?" })
                let kind = page + (link.contains("cursor=") || link.contains("after=") ? " (next)" : "")
                counts[kind, default: 0] += 1
                if counts[kind, default: 0] <= each { waiting.append((link, path)) } else { left += 1 }
            }
        }
    }

    /// Where links and what pages refer to lead, as a browser reads it.
    static func links(_ html: String) -> [String] {
        html.matches(of: /(?:href|src)="([^"]*)"/).map { unescaped(String($0.1)) }
            .filter { !$0.hasPrefix("#") }
    }

    private static func unescaped(_ text: String) -> String {
        text.replacing("&#34;", with: "\"").replacing("&#39;", with: "'").replacing("&lt;", with: "<")
            .replacing("&gt;", with: ">").replacing("&amp;", with: "&")
    }
}
