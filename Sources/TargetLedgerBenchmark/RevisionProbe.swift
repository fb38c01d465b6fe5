//
// RevisionProbe.swift: asks a process over one kept connection which revision it serves, again and again.
//

import Foundation
import Glibc

/// One connection to one process. A question costs that process some ten microseconds.
final class RevisionProbe {
    private let socket: Int32
    private var chunk = [UInt8](repeating: 0, count: 1 << 16)

    init(port: UInt16) throws { socket = try LoopbackHTTP.connected(port) }

    deinit { close(socket) }

    /// The number in the header of an answer; nil while there is no state.
    func revision() throws -> Int64? {
        try LoopbackHTTP.write("GET /jobs HTTP/1.1\r\nHost: localhost\r\n\r\n", to: socket)
        var answer: [UInt8] = []
        while true {
            let count = recv(socket, &chunk, chunk.count, 0)
            guard count > 0 else { throw LoopbackHTTP.Failure(description: "recv: errno \(errno)") }
            answer += chunk[..<count]
            let text = String(decoding: answer, as: UTF8.self)
            guard let end = text.range(of: "\r\n\r\n") else { continue }
            let fields = text[..<end.lowerBound].lowercased().split(separator: "\r\n")
            func value(_ name: String) -> Int64? {
                fields.first { $0.hasPrefix(name + ": ") }.flatMap { Int64($0.dropFirst(name.count + 2)) }
            }
            guard let length = value("content-length") else {
                throw LoopbackHTTP.Failure(description: "/jobs is answered without its length")
            }
            if text[end.upperBound...].utf8.count >= length { return value("target-ledger-revision") }
        }
    }
}

extension [RevisionProbe] {
    /// Asks all of them until each serves `revision`.
    ///
    /// - Returns: For each the seconds from `start` until it was seen to.
    func wait(for revision: Int64, since start: ContinuousClock.Instant) throws -> [Double] {
        var seconds = [Double?](repeating: nil, count: count)
        while seconds.contains(nil) {
            for (index, probe) in enumerated() where seconds[index] == nil {
                if try probe.revision() ?? 0 >= revision { seconds[index] = start.duration(to: .now).seconds }
            }
            guard start.duration(to: .now) < .seconds(60) else {
                throw LoopbackHTTP.Failure(description: "revision \(revision) is not served after a minute")
            }
            // Whoever follows shares the processors with whoever asks.
            usleep(100)
        }
        return seconds.compactMap(\.self)
    }
}
