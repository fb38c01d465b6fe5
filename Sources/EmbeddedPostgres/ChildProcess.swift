//
// ChildProcess.swift: a program started with a clean slate, waited for without reaping anyone else's children.
//

import CSys
import Glibc

/// How a program ended.
enum ExitStatus: Sendable, Hashable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)

    init(_ status: Int32) {
        let signal = status & 0x7F
        self = signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal)
    }

    var description: String {
        switch self {
        case .exited(let code): "it exited with code \(code)"
        case .killed(let signal): "it was killed by signal \(signal)"
        }
    }
}

/// A child of this process. Use it on one thread.
struct ChildProcess {
    struct Request {
        var path: String
        var arguments: [String]
        var folder: String?
        var user: ServerUser?
        var standardInput: Int32 = -1
        var standardOutput: Int32 = -1
        var standardError: Int32 = -1
        /// Sent to the child when the thread that starts it ends.
        var parentDeathSignal: Int32 = 0
    }

    let pid: pid_t
    /// Readable once the child has ended; -1 on kernels before 5.3, where the child is asked for again and again.
    private let watch: Int32

    /// - Throws: `.system` with the errno of what failed, `execve` included.
    static func start(_ request: Request) throws(EmbeddedPostgresError) -> ChildProcess {
        // Nothing of ours leaks in: PGDATA, PGPORT and the like would change what the programs do.
        let environment = ["PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=/"]
        var pid: pid_t = 0
        let failure = withStringArray([request.path] + request.arguments) { arguments in
            withStringArray(environment) { environment in
                let spawn = { (identity: csys_identity) in
                    request.path.withCString { path in
                        withOptionalCString(request.folder) { folder in
                            var call = csys_spawn_request(
                                path: path, argv: arguments, envp: environment, working_directory: folder,
                                standard_input: request.standardInput, standard_output: request.standardOutput,
                                standard_error: request.standardError, identity: identity,
                                parent_death_signal: request.parentDeathSignal, own_process_group: true)
                            return csys_spawn(&call, &pid)
                        }
                    }
                }
                return request.user?.withIdentity { spawn($0) } ?? spawn(csys_identity())
            }
        }
        guard failure == 0 else { throw .system(what: "start", path: request.path, errno: failure) }
        return ChildProcess(pid: pid, watch: csys_pidfd_open(pid))
    }

    /// What a short program prints; nil when it fails or takes more than 10 s.
    static func output(of path: String, _ arguments: [String]) -> String? {
        var pipe: [Int32] = [-1, -1]
        guard csys_pipe(&pipe) == 0 else { return nil }
        defer { close(pipe[0]) }
        let child = try? start(Request(path: path, arguments: arguments, standardOutput: pipe[1]))
        close(pipe[1])
        guard let child else { return nil }
        guard child.wait(until: .now + .seconds(10)) == .exited(0) else {
            child.kill(SIGKILL)
            _ = child.wait(until: nil)
            return nil
        }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(pipe[0], &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    /// Waits for the end, and reaps. nil: the time has passed, or `interrupt` became readable; the child lives.
    ///
    /// - Parameter interrupt: A descriptor, or -1.
    func wait(until deadline: ContinuousClock.Instant?, interrupt: Int32 = -1) -> ExitStatus? {
        while true {
            if let status = reap() { return status }
            var polled = [
                pollfd(fd: watch, events: Int16(POLLIN), revents: 0),
                pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0),
            ]
            var milliseconds: Int32 = watch >= 0 ? -1 : 20
            if let deadline {
                let left = deadline - .now
                guard left > .zero else { return nil }
                let bound =
                    Int32(min(left.components.seconds, 3600)) * 1000
                    + Int32(left.components.attoseconds / 1_000_000_000_000_000) + 1
                milliseconds = milliseconds < 0 ? bound : min(milliseconds, bound)
            }
            if poll(&polled, 2, milliseconds) > 0, polled[1].revents != 0, polled[0].revents == 0 { return nil }
        }
    }

    func kill(_ signal: Int32) { Glibc.kill(pid, signal) }

    /// Also what it started: for programs that run others.
    func killGroup(_ signal: Int32) { Glibc.kill(-pid, signal) }

    private func reap() -> ExitStatus? {
        var status: Int32 = 0
        var reaped: pid_t
        repeat { reaped = waitpid(pid, &status, WNOHANG) } while reaped < 0 && errno == EINTR
        guard reaped != 0 else { return nil }
        if watch >= 0 { close(watch) }
        // Without a status: someone else reaped it, which only a bug does. It is gone all the same.
        return reaped == pid ? ExitStatus(status) : .exited(-1)
    }
}

private func withOptionalCString<T>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> T) -> T {
    guard let text else { return body(nil) }
    return text.withCString { body($0) }
}

/// Lends the strings as C takes them: an array of pointers that ends with NULL.
private func withStringArray<T>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> T
) -> T {
    var pointers = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    // Never empty, so it has an address.
    return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
}
