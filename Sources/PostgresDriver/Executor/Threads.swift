//
// Threads.swift: starts threads for C calls that block (name resolution, TLS handshakes, PQcancel) and for poll loops.
//

import CSys
import Glibc

enum Threads {
    private final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs `body` on a thread of its own, detached.
    static func start(name: String, _ body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let argument = Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, &attributes,
            { argument in
                // The argument is the retained Start given below, never nil.
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                csys_name_thread(start.name)
                start.body()
                return nil
            }, argument.toOpaque())
        precondition(failure == 0, "cannot start thread \(name) (errno \(failure))")
    }
}
