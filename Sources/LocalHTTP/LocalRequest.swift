// SPDX-License-Identifier: Apache-2.0

/// Who is at the other end of a Unix socket, as the kernel noted when it connected.
package struct PeerCredentials: Hashable, Sendable {
    /// In this process's PID namespace; 0 if the peer is not in it.
    package let processID: Int32
    package let userID: UInt32
    package let groupID: UInt32

    /// Makes credentials from their parts.
    package init(processID: Int32, userID: UInt32, groupID: UInt32) {
        self.processID = processID
        self.userID = userID
        self.groupID = groupID
    }
}

/// A request as the server's routes see it.
package struct LocalRequest: Sendable {
    /// `GET`, `POST` and so on.
    package let method: String
    /// Path and query, as sent: `/v1/flows?last=10`.
    package let target: String
    /// In the order sent; names as written by the client.
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]
    package let peer: PeerCredentials

    /// Makes a request; for tests of routes.
    package init(
        method: String, target: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        peer: PeerCredentials
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.peer = peer
    }

    /// The value of a header, whatever the case of its name.
    package func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// What a route answers.
package struct LocalResponse: Sendable {
    /// What follows the headers.
    package enum Body: Sendable {
        case bytes([UInt8])
        /// Chunks as they come.
        ///
        /// The stream's iteration is cancelled when the client goes away, the server stops or the client does not read.
        case stream(AsyncStream<[UInt8]>)
    }

    /// The HTTP status: 200, 404 and so on.
    package let status: Int
    package let contentType: String
    package let body: Body
    /// Besides those that the server writes itself.
    package let headers: [(name: String, value: String)]

    /// Makes a response.
    package init(
        status: Int, contentType: String, body: Body, headers: [(name: String, value: String)] = []
    ) {
        self.headers = headers
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// A line of text.
    package static func text(
        _ status: Int, _ text: String, headers: [(name: String, value: String)] = []
    ) -> LocalResponse {
        LocalResponse(
            status: status, contentType: "text/plain; charset=utf-8", body: .bytes(Array((text + "\n").utf8)),
            headers: headers)
    }
}
