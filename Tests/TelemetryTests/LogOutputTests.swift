//
// LogOutputTests.swift
//

import Glibc
import Logging
import Telemetry
import Testing

/// Goal: logging never waits for the reader of the log, and says what it had to drop.
///
/// Method: a pipe whose reader is the test itself.
@Suite struct LogOutputTests {
    private struct Pipe {
        let read: Int32
        let write: Int32

        init() {
            var ends: [Int32] = [0, 0]
            precondition(pipe(&ends) == 0, "no pipe: errno \(errno)")
            (read, write) = (ends[0], ends[1])
        }

        /// Reads until `count` bytes came.
        func take(_ count: Int) -> [UInt8] {
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while bytes.count < count {
                let got = Glibc.read(read, &chunk, min(chunk.count, count - bytes.count))
                if got <= 0 { break }
                bytes += chunk[..<got]
            }
            return bytes
        }
    }

    @Test func aHandlerWritesLinesInOrder() {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.write)
        var logger = Logger(label: "test") { _ in
            LineLogHandler(label: "part", level: .info, format: LogFormat(encoder: .console), output: output)
        }
        logger[metadataKey: "k"] = "v"
        logger.debug("hidden")
        logger.info("first")
        logger.error("second", metadata: ["k": "w"])
        close(pipe.write)
        let lines = String(decoding: pipe.take(1 << 16), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasSuffix("\tINFO\tpart\tfirst\t{\"k\":\"v\"}") == true)
        #expect(lines.last?.hasSuffix("\tERROR\tpart\tsecond\t{\"k\":\"w\"}") == true)
    }

    @Test func aFullPipeHoldsNobodyUpAndDropsAreCounted() {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.write, waitingBytesMax: 10_000)
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 999) + [UInt8(ascii: "\n")]
        // Far more than a pipe and the buffer take; returns, although nobody reads.
        for _ in 0..<1000 { output.write(line) }
        let dropped = output.droppedLines
        #expect(dropped > 0 && dropped < 1000)
        let notice = Array("\(dropped) log lines dropped\n".utf8)
        let kept = pipe.take((1000 - dropped) * line.count)
        #expect(kept.count == (1000 - dropped) * line.count)
        #expect(pipe.take(notice.count) == notice)
        output.flush()
        #expect(output.droppedLines == 0)
    }
}
