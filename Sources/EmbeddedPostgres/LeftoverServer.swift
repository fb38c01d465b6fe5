//
// LeftoverServer.swift: what a server of an earlier life left in the cluster: itself, its children, its files.
//
// A server killed with -9 leaves postmaster.pid, and PostgreSQL refuses to start while that pid lives as anything of
// the same user, which after a reboot it well may. It also leaves children that end on their own within moments, and
// until then hold the shared memory that a new server would have to share. kill(pid, 0) tells nothing: it succeeds on
// a zombie and on a stranger; procfs tells what a process is and where it works.
//

import CSys
import Glibc

struct LeftoverServer {
    let folder: StateFolder

    /// Ends and clears away what is left.
    func clear() throws(EmbeddedPostgresError) {
        let pidFile = folder.data + "/postmaster.pid"
        if let pid = Files.text(pidFile)?.split(separator: "\n").first.flatMap({ pid_t($0) }), isServer(pid) {
            try stop(pid)
        }
        for pid in Self.processIDs() where isServer(pid) { try awaitEnd(of: pid) }
        // Those of a server that ended by itself are gone already.
        try Files.remove(pidFile)
        try Files.remove(folder.socket + "/.s.PGSQL.5432")
        try Files.remove(folder.socket + "/.s.PGSQL.5432.lock")
    }

    /// Whether the process is a `postgres` that works in this cluster.
    private func isServer(_ pid: pid_t) -> Bool {
        guard pid > 1, let program = Files.linkTarget("/proc/\(pid)/exe"),
            let place = Files.linkTarget("/proc/\(pid)/cwd")
        else { return false }
        // A package upgrade leaves the running program as "… (deleted)".
        let name = program.split(separator: "/").last?.split(separator: " ").first
        return name == "postgres" && place == folder.data
    }

    private func stop(_ pid: pid_t) throws(EmbeddedPostgresError) {
        for (signal, patience) in [(SIGINT, 30), (SIGQUIT, 10)] {
            guard isServer(pid) else { return }
            kill(pid, signal)
            if Self.waitForEnd(of: pid, .seconds(patience)) { return }
        }
        throw .serverDoesNotStop(folder: folder.data, pid: pid)
    }

    /// Children end when they notice that their server is gone.
    private func awaitEnd(of pid: pid_t) throws(EmbeddedPostgresError) {
        if Self.waitForEnd(of: pid, .seconds(10)) { return }
        guard isServer(pid) else { return }
        kill(pid, SIGKILL)
        if !Self.waitForEnd(of: pid, .seconds(10)) { throw .serverDoesNotStop(folder: folder.data, pid: pid) }
    }

    /// Whether the process, no child of this one, has ended in time.
    private static func waitForEnd(of pid: pid_t, _ patience: Duration) -> Bool {
        let watch = csys_pidfd_open(pid)
        guard watch >= 0 else {
            // ESRCH: gone. Else the kernel is older than 5.3: look again and again.
            let end = ContinuousClock.now + patience
            while ContinuousClock.now < end {
                if Files.linkTarget("/proc/\(pid)/cwd") == nil { return true }
                usleep(20_000)
            }
            return false
        }
        defer { close(watch) }
        var polled = pollfd(fd: watch, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, Int32(patience.components.seconds) * 1000) > 0
    }

    private static func processIDs() -> [pid_t] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var found: [pid_t] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let pid = pid_t(name) { found.append(pid) }
        }
        return found
    }
}
