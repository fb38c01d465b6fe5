//
// Measurement.swift: time, allocations and memory of a piece of work.
//

import CAllocationCount
import Foundation
import Glibc

/// What a piece of work took.
struct Measurement {
    var seconds: Double
    /// Bytes asked of malloc meanwhile, by all threads.
    var allocatedBytes: UInt64

    static func of<T>(_ body: () async throws -> T) async rethrows -> (T, Measurement) {
        let bytes = callocation_bytes()
        let start = ContinuousClock.now
        let result = try await body()
        let duration = start.duration(to: .now)
        return (result, Measurement(seconds: duration.seconds, allocatedBytes: callocation_bytes() - bytes))
    }
}

extension Duration {
    var seconds: Double {
        let (whole, attoseconds) = components
        return Double(whole) + Double(attoseconds) / 1e18
    }
}

extension [Double] {
    /// The middle one of an odd number, the upper middle of an even one.
    var median: Double { sorted()[count / 2] }

    /// So many in a hundred are not above it.
    func percentile(_ percent: Double) -> Double { sorted()[Swift.min(count - 1, Int(Double(count) * percent / 100))] }
}

func fflushAll() { fflush(nil) }

func milliseconds(_ seconds: Double) -> String { String(format: "%.1f ms", seconds * 1000) }

func secondsText(_ seconds: Double) -> String { String(format: "%.2f s", seconds) }

func megabytes(_ bytes: some BinaryInteger) -> String { String(format: "%.0f MB", Double(bytes) / 1e6) }

func ratioText(_ ratio: Double) -> String { String(format: "%.2f", ratio) }

/// What of a process's memory.
enum MemoryFigure: String {
    case resident = "VmRSS:"
    /// The most that was ever resident.
    case peak = "VmHWM:"
}

/// Bytes of a process's memory; nil when it is gone.
func memoryBytes(of process: Int32, _ figure: MemoryFigure) -> Int? {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8) else { return nil }
    let line = text.split(separator: "\n").first { $0.hasPrefix(figure.rawValue) }
    // "VmRSS:\t  1234 kB"
    return line?.split(whereSeparator: { " \t".contains($0) }).compactMap { Int($0) }.first.map { $0 * 1024 }
}

/// A process's children, as the kernel lists them.
func children(of process: Int32) -> [Int32] {
    let path = "/proc/\(process)/task/\(process)/children"
    return ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: " ").compactMap { Int32($0) }
}

/// Processor seconds that a process has used, its threads included.
func processorSeconds(of process: Int32) -> Double? {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
        let end = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
}
