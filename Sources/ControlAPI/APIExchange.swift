// SPDX-License-Identifier: Apache-2.0

/// Who is at the other end of the socket, as the kernel says.
package struct APIPeer: Hashable, Sendable {
    package var userID: UInt32
    package var groupID: UInt32
    package var processID: Int32

    package init(userID: UInt32, groupID: UInt32, processID: Int32) {
        self.userID = userID
        self.groupID = groupID
        self.processID = processID
    }
}

/// The methods the API knows.
package enum APIMethod: String, Sendable {
    case get = "GET"
    case post = "POST"
    case delete = "DELETE"
}

/// A request, free of its transport, so that the same routes serve the socket and a test in memory.
package struct APIRequest: Sendable {
    package var method: APIMethod
    /// Path segments, percent-decoded: `["v1", "policies"]`.
    package var path: [String]
    /// Query items in order, percent-decoded; a flag has an empty value.
    package var query: [(name: String, value: String)]
    package var body: [UInt8]
    package var peer: APIPeer
    /// The header `Accept`; only metrics have more than one form.
    package var accept: String

    package init(
        method: APIMethod, path: [String], query: [(name: String, value: String)] = [], body: [UInt8] = [],
        peer: APIPeer, accept: String = ""
    ) {
        self.accept = accept
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.peer = peer
    }

    /// True for `?name`, `?name=true` and `?name=1`; an error for what is neither that nor its opposite.
    package func flag(_ name: String) throws(APIError) -> Bool {
        guard let value = value(name) else { return false }
        return try QueryRules.boolean(name, value)
    }

    /// All values of a repeatable item.
    package func values(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }

    /// The first value of an item.
    package func value(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

/// An answer, free of its transport.
package struct APIResponse: Sendable {
    /// What follows the header.
    package enum Body: Sendable {
        case bytes([UInt8])
        /// Lines of NDJSON as they come; cancelling the iteration ends the work behind it.
        case stream(AsyncStream<[UInt8]>)
    }

    package var status: Int
    package var contentType: String
    package var body: Body

    package init(status: Int, contentType: String, body: Body) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }
}
