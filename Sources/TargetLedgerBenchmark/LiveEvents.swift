//
// LiveEvents.swift: how soon a client of the live events hears of a revision.
//

import Foundation
import Glibc
import PostgresDriver

/// The executable on a file that changes again and again, and one client that listens.
enum LiveEvents {
    private static let targets = 2000

    /// - Returns: For each change the seconds from the revision's time, which is taken before it is committed, until the
    ///   client had read its event.
    static func delays(commits: Int) throws -> [Double] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "benchmark-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try GeneratedFiles.write(targets: targets, jobs: 1, to: folder.appending(path: "files"))
        let process = try ServedProcess(folder: folder, jobs: 1, collectors: 10)
        try process.start()
        defer { process.stop() }
        try process.wait(forTargets: [targets])
        let socket = try LoopbackHTTP.request(process.port, "/api/v1/events", fields: "Accept: text/event-stream\r\n")
        defer { close(socket) }
        var stream = EventStream(socket: socket)
        // The stream begins with a comment; from then on nothing is missed.
        _ = try stream.next()
        var delays: [Double] = []
        for change in 0..<commits {
            let contents = GeneratedFiles.contents(job: 0, first: 0, count: targets, changed: change % 2 == 0 ? 7 : nil)
            try contents.write(to: files[0], options: .atomic)
            while true {
                let event = try stream.next()
                guard event.contains("event: revision") else { continue }
                delays.append(Date().timeIntervalSince1970 - (try time(of: event)))
                break
            }
        }
        return delays
    }

    /// The revision's time, the first in its event.
    private static func time(of event: String) throws -> Double {
        guard let field = event.range(of: "\"at\":\""), let end = event[field.upperBound...].firstIndex(of: "\""),
            let time = Timestamp(rfc3339: String(event[field.upperBound..<end]))
        else { throw LoopbackHTTP.Failure(description: "an event without a time") }
        return Double(time.microsecondsSince1970) / 1e6
    }

    /// Blocks of text that end with an empty line.
    private struct EventStream {
        let socket: Int32
        private var text: [UInt8] = []

        init(socket: Int32) { self.socket = socket }

        mutating func next() throws -> String {
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                if let end = text.indices.dropLast().first(where: { text[$0] == 10 && text[$0 + 1] == 10 }) {
                    defer { text.removeFirst(end + 2) }
                    return String(decoding: text[..<end], as: UTF8.self)
                }
                let count = recv(socket, &chunk, chunk.count, 0)
                guard count > 0 else { throw LoopbackHTTP.Failure(description: "the live events ended") }
                text += chunk[..<count].filter { $0 != 13 }
            }
        }
    }
}
