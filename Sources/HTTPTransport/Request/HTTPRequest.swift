//
// HTTPRequest.swift: what is asked of a server, and what came back.
//

/// Header fields in order; names compare without case.
package struct HTTPFields: Sendable, Equatable, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    package struct Field: Sendable, Equatable {
        package var name: String
        package var value: String
        /// Not repeated to another host, not shown.
        package var isSensitive: Bool

        package init(_ name: String, _ value: String, isSensitive: Bool = false) {
            self.name = name
            self.value = value
            self.isSensitive = isSensitive
        }
    }

    package private(set) var fields: [Field]

    package init(_ fields: [Field] = []) { self.fields = fields }
    package init(arrayLiteral elements: Field...) { fields = elements }
    package init(dictionaryLiteral elements: (String, String)...) { fields = elements.map { Field($0, $1) } }

    package mutating func append(_ field: Field) { fields.append(field) }

    /// The first value under a name.
    package subscript(_ name: String) -> String? { fields.first { $0.isNamed(name) }?.value }

    mutating func removeAll(where condition: (Field) -> Bool) { fields.removeAll(where: condition) }
}

extension HTTPFields.Field {
    func isNamed(_ other: String) -> Bool { name.lowercased() == other.lowercased() }
}

/// One request.
package struct HTTPRequest: Sendable {
    package var method: String
    /// `http` or `https`.
    package var url: String
    package var fields: HTTPFields
    package var body: [UInt8]?
    package var authentication: HTTPAuthentication
    package var tls: TLSOptions
    package var proxy: HTTPProxy
    /// Follows at most 10 redirects. What proves who we are is not repeated to another host.
    package var followsRedirects: Bool
    /// Offers HTTP/2 to TLS servers.
    package var offersHTTP2: Bool

    package init(
        method: String = "GET", url: String, fields: HTTPFields = [], body: [UInt8]? = nil,
        authentication: HTTPAuthentication = .none, tls: TLSOptions = TLSOptions(), proxy: HTTPProxy = .none,
        followsRedirects: Bool = true, offersHTTP2: Bool = true
    ) {
        self.method = method
        self.url = url
        self.fields = fields
        self.body = body
        self.authentication = authentication
        self.tls = tls
        self.proxy = proxy
        self.followsRedirects = followsRedirects
        self.offersHTTP2 = offersHTTP2
    }
}

/// Who we say we are. Sent to the request's own host alone.
package enum HTTPAuthentication: Sendable, Equatable {
    case none
    case basic(user: String, password: String)
    /// The scheme is mostly `Bearer`.
    case credentials(scheme: String, String)

    /// The value of `Authorization`.
    var fieldValue: String? {
        switch self {
        case .none: nil
        case .basic(let user, let password): "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
        case .credentials(let scheme, let text): "\(scheme) \(text)"
        }
    }
}

/// A certificate, a key or a list of certificates.
package enum PEMSource: Sendable, Equatable {
    case file(String)
    case text([UInt8])
}

/// How a TLS server is checked, and what we show it.
package struct TLSOptions: Sendable, Equatable {
    /// Trusted instead of the system's authorities.
    package var authorities: PEMSource?
    package var certificate: PEMSource?
    package var key: PEMSource?
    /// Asked for and checked instead of the URL's host.
    package var serverName: String?
    /// Takes any certificate.
    package var isInsecure: Bool
    package var minimum: TLSVersion?
    package var maximum: TLSVersion?

    package init(
        authorities: PEMSource? = nil, certificate: PEMSource? = nil, key: PEMSource? = nil,
        serverName: String? = nil, isInsecure: Bool = false, minimum: TLSVersion? = nil, maximum: TLSVersion? = nil
    ) {
        self.authorities = authorities
        self.certificate = certificate
        self.key = key
        self.serverName = serverName
        self.isInsecure = isInsecure
        self.minimum = minimum
        self.maximum = maximum
    }
}

package enum TLSVersion: Int, Sendable, Comparable {
    case tls10, tls11, tls12, tls13

    package static func < (a: TLSVersion, b: TLSVersion) -> Bool { a.rawValue < b.rawValue }
}

/// Through what a request goes.
package enum HTTPProxy: Sendable, Equatable {
    case none
    /// `exceptions`: comma-separated hosts, domains, addresses and networks that are asked directly.
    case url(String, exceptions: String, connectFields: HTTPFields)
    /// `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, in either case.
    case environment(connectFields: HTTPFields)
}

/// Status and fields of an answer.
package struct HTTPHead: Sendable, Equatable {
    package var status: Int
    /// The words behind the status; HTTP/2 has none.
    package var reason: String
    package var fields: HTTPFields

    package init(status: Int, reason: String = "", fields: HTTPFields = []) {
        self.status = status
        self.reason = reason
        self.fields = fields
    }
}

/// A whole answer.
package struct HTTPResponse: Sendable, Equatable {
    package var head: HTTPHead
    package var body: [UInt8]

    package init(head: HTTPHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }

    package var status: Int { head.status }
    package var fields: HTTPFields { head.fields }
}
