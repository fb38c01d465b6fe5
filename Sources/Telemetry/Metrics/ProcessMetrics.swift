//
// ProcessMetrics.swift: what the kernel knows of this process, under the names every Prometheus client uses.
//

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The `process_*` metrics, read from procfs at each scrape. What cannot be read is left out.
package struct ProcessMetrics: MetricsSource {
    package init() {}

    package func families() -> [MetricFamily] {
        var families: [MetricFamily] = []
        if let stat = ProcessStat.current() {
            let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
            add("process_cpu_seconds_total", .counter, "CPU time spent, user and system.", stat.cpuTicks / ticks)
            add("process_virtual_memory_bytes", .gauge, "Address space in use.", stat.virtualBytes)
            add(
                "process_resident_memory_bytes", .gauge, "Memory in use.",
                stat.residentPages * Double(sysconf(Int32(_SC_PAGESIZE))))
            if let boot = ProcessStat.bootTimeSeconds() {
                add(
                    "process_start_time_seconds", .gauge, "Start of the process, seconds since 1970.",
                    boot + stat.startTicks / ticks)
            }
        }
        if let open = ProcessStat.openDescriptors() {
            add("process_open_fds", .gauge, "Open file descriptors.", Double(open))
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            add("process_max_fds", .gauge, "File descriptors allowed.", Double(limit.rlim_cur))
        }
        return families

        func add(_ name: String, _ kind: MetricKind, _ help: String, _ value: Double) {
            families.append(MetricFamily(name, kind, help: help, [MetricSample([], value)]))
        }
    }
}

/// The fields of `/proc/self/stat` that are exposed, numbered as in proc(5).
private struct ProcessStat {
    let cpuTicks: Double
    let startTicks: Double
    let virtualBytes: Double
    let residentPages: Double

    static func current() -> ProcessStat? {
        // The second field is the program's name in brackets and may itself hold blanks and brackets.
        guard let text = contents("/proc/self/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 21 else { return nil }
        func field(_ number: Int) -> Double { Double(fields[number - 3]) ?? 0 }
        return ProcessStat(
            cpuTicks: field(14) + field(15), startTicks: field(22), virtualBytes: field(23), residentPages: field(24))
    }

    static func bootTimeSeconds() -> Double? {
        let line = contents("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line?.split(separator: " ").last.flatMap { Double($0) }
    }

    static func openDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) {
            if entry.pointee.d_name.0 != CChar(bitPattern: UInt8(ascii: ".")) { count += 1 }
        }
        // The descriptor of this very listing is not the process's.
        return count - 1
    }

    private static func contents(_ path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
