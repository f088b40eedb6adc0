// SPDX-License-Identifier: Apache-2.0

package import CNIPlugin

/// An attachment as the agent knows it: what a network plugin told, and how far that is in force.
package struct AttachmentRecord: Codable, Hashable, Sendable {
    package var containerID: String
    /// Inside the container.
    package var interface: String
    package var network: String
    package var state: AttachmentState
    /// Why it is not in force; nil if it is.
    package var message: String?
    /// The endpoint as which it is judged.
    package var endpoint: String?
    /// The source that says who it is; `cni`: nobody else.
    package var source: String?
    /// The host's end.
    package var hostInterface: String
    package var hostIndex: UInt32
    package var addresses: [String]
    /// `<namespace>/<name>` of the pod; nil: the runtime did not say.
    package var pod: String?

    package init(
        containerID: String, interface: String, network: String, state: AttachmentState, message: String? = nil,
        endpoint: String? = nil, source: String? = nil, hostInterface: String, hostIndex: UInt32,
        addresses: [String], pod: String? = nil
    ) {
        self.containerID = containerID
        self.interface = interface
        self.network = network
        self.state = state
        self.message = message
        self.endpoint = endpoint
        self.source = source
        self.hostInterface = hostInterface
        self.hostIndex = hostIndex
        self.addresses = addresses
        self.pod = pod
    }
}

/// Answer to a request that takes attachments away.
package struct AttachmentRemoval: Codable, Hashable, Sendable {
    package var removed: [AttachmentName]

    package init(removed: [AttachmentName]) { self.removed = removed }
}

/// Answer of `GET /v1/attachments/ready`.
package struct AttachmentReadiness: Codable, Hashable, Sendable {
    package var ready: Bool

    package init(ready: Bool) { self.ready = ready }
}

/// What stands behind the routes of attachments.
///
/// Every error it throws is an `APIError`.
package protocol AttachmentService: Sendable {
    /// Returns when the attachment's policy is in force, when it cannot be, or when the time is over.
    ///
    /// Before anything else nothing passes there any more.
    func attach(_ request: AttachmentRequest) async throws(APIError) -> AttachmentRecord
    func detach(_ name: AttachmentName) async throws(APIError) -> AttachmentRemoval
    func attachments() async throws(APIError) -> [AttachmentRecord]
    func attachment(_ name: AttachmentName) async throws(APIError) -> AttachmentRecord
    func collect(_ collection: AttachmentCollection) async throws(APIError) -> AttachmentRemoval
}
