// SPDX-License-Identifier: Apache-2.0

package import CNIPlugin

extension ControlClient {
    package func attachments() async throws -> [AttachmentRecord] { try await call(.get, ["attachments"]) }

    package func attachment(_ name: AttachmentName) async throws -> AttachmentRecord {
        try await call(.get, ["attachments", name.containerID, name.interface])
    }

    package func attach(_ request: AttachmentRequest) async throws -> AttachmentRecord {
        try await call(.post, ["attachments"], body: APICoding.encode(request))
    }

    package func detach(_ name: AttachmentName) async throws -> AttachmentRemoval {
        try await call(.delete, ["attachments", name.containerID, name.interface])
    }

    package func collect(_ collection: AttachmentCollection) async throws -> AttachmentRemoval {
        try await call(.post, ["attachments", "collect"], body: APICoding.encode(collection))
    }
}
