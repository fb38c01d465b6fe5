//
// StaticServer.swift: nginx with given bodies, set for speed.
//

import Foundation
import Glibc

/// nginx with one worker. The files lie in `folder`/www; a file beside one, named like it and `.gz`, is its gzip form.
final class StaticServer {
    let port: UInt16
    private let process = Process()

    /// - Parameters:
    ///   - usesSendfile: What is faster depends on the size.
    ///   - core: The one processor that it may use; nil: all.
    init(_ tool: Tool, folder: URL, usesSendfile: Bool, onCore core: Int?) throws {
        port = try LoopbackHTTP.freePort()
        let home = folder.appending(path: usesSendfile ? "nginx-sendfile" : "nginx")
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        let own = home.path()
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(own)/\($0);" }.joined(separator: " ")
        let configuration = """
            \(geteuid() == 0 ? "user root;" : "")
            daemon off;
            worker_processes 1;
            pid \(own)/pid;
            error_log \(own)/error.log;
            events { worker_connections 1024; }
            http {
                \(temporary)
                access_log off;
                default_type application/json;
                sendfile \(usesSendfile ? "on" : "off");
                tcp_nopush \(usesSendfile ? "on" : "off");
                output_buffers 2 512k;
                open_file_cache max=100 inactive=1h;
                open_file_cache_valid 1h;
                keepalive_requests 1000000000;
                gzip_static on;
                server { listen 127.0.0.1:\(port); root \(folder.path())/www; }
            }

            """
        let file = home.appending(path: "nginx.conf")
        try configuration.write(to: file, atomically: true, encoding: .utf8)
        let arguments = ["-p", own, "-e", "\(own)/error.log", "-c", file.path()]
        if let core {
            process.executableURL = URL(filePath: try Tool("taskset", package: "util-linux").path)
            process.arguments = ["--cpu-list", "\(core)", tool.path] + arguments
        } else {
            process.executableURL = URL(filePath: tool.path)
            process.arguments = arguments
        }
        try process.run()
    }

    /// Waits until it serves `body` at `path`.
    func wait(for body: [UInt8], at path: String) throws {
        while (try? LoopbackHTTP.get(port, path)) != body {
            guard process.isRunning else { throw Tool.Failure(description: "nginx ended") }
            usleep(20_000)
        }
    }

    var processorSeconds: Double {
        let pid = process.processIdentifier
        return ([pid] + children(of: pid)).compactMap { TargetLedgerBenchmark.processorSeconds(of: $0) }.reduce(0, +)
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }
}
