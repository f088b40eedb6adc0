// SPDX-License-Identifier: Apache-2.0

import CNIPlugin

extension ControlRouter {
    /// The routes below `/v1/attachments`; nil: there is no such route.
    func attachmentRoute(_ path: [String], _ request: APIRequest) async throws -> APIResponse? {
        switch (request.method, path) {
        case (.get, ["attachments"]): return try json(await service.attachments())
        case (.get, ["attachments", "ready"]): return try json(AttachmentReadiness(ready: true))
        case (.post, ["attachments"]):
            return try json(await service.attach(try body(AttachmentRequest.self, request)))
        case (.post, ["attachments", "collect"]):
            return try json(await service.collect(try body(AttachmentCollection.self, request)))
        case (.get, let path) where path.count == 3: return try json(await service.attachment(name(path)))
        case (.delete, let path) where path.count == 3: return try json(await service.detach(name(path)))
        default: return nil
        }
    }

    private func name(_ path: [String]) -> AttachmentName { AttachmentName(containerID: path[1], interface: path[2]) }
}
