//
// HTTPListener.swift: an HTTP server on one address, until the process is asked to shut down.
//

import AllocatorRuntime
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// What the servers of the process have in common.
struct HTTPListener: Sendable {
    let address: ListenAddress
    let logger: Logger
    /// Called once requests are accepted, with the port that the system chose if none was named.
    let onBound: @Sendable (_ port: Int) -> Void

    /// Answers that are on their way are finished before it returns.
    ///
    /// - Throws: ``ListenError`` when the address cannot be listened on.
    func run<Responder: HTTPResponder>(_ responder: Responder, server: HTTPServerBuilder = .http1()) async throws
    where Responder.Context: InitializableFromSource<ApplicationRequestContextSource> {
        let application = Application(
            responder: responder, server: server,
            configuration: ApplicationConfiguration(address: .hostname(address.bindHost, port: address.port)),
            onServerRunning: { [onBound] channel in
                if let port = channel.localAddress?.port { onBound(port) }
            },
            logger: logger)
        do {
            try await application.run()
        } catch let error as IOError {
            throw ListenError(error, address)
        } catch let error as SocketAddressError {
            throw ListenError.failed(address, "\(error)")
        }
    }
}
