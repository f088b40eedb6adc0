// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import Testing

@testable import ControlAPI

@Suite struct AttachmentRouteTests {
    private let service = RecordingService()

    private func client(userID: UInt32 = 0) -> ControlClient {
        let router = ControlRouter(service: service, access: AccessRule { _ in false })
        return ControlClient(
            transport: LoopbackTransport(router: router, peer: APIPeer(userID: userID, groupID: 0, processID: 1)))
    }

    private static let request = AttachmentRequest(
        containerID: "c", interface: "eth0", namespacePath: "/run/netns/c", network: "podnet",
        hostInterfaces: ["veth1"], addresses: ["10.1.0.3"], podNamespace: "shop", podName: "web", podUID: nil,
        labels: ["a": "b"], isWorkload: true, waitMilliseconds: 5)

    @Test func `attachments come, go and are asked for`() async throws {
        let name = AttachmentName(containerID: "c", interface: "eth0.7")
        #expect(try await client().attach(Self.request) == RecordingService.attachmentRecord)
        #expect(try await client().attachments() == [RecordingService.attachmentRecord])
        _ = try await client().attachment(name)
        #expect(try await client().detach(name).removed == [name])
        _ = try await client().collect(AttachmentCollection(network: "podnet", valid: [name]))
        let expected = ["attach c eth0 5", "attachment c eth0.7", "detach c eth0.7", "collect podnet c"]
        #expect(service.calls == expected)
        let ready: AttachmentReadiness = try await client().call(.get, ["attachments", "ready"])
        #expect(ready.ready)
    }

    @Test func `only who may change things may attach, detach and collect`() async throws {
        let stranger = client(userID: 1000)
        await #expect(throws: APIError.self) { try await stranger.attach(Self.request) }
        await #expect(throws: APIError.self) { try await stranger.detach(Self.request.name) }
        await #expect(throws: APIError.self) {
            try await stranger.collect(AttachmentCollection(network: "podnet", valid: []))
        }
        #expect(try await stranger.attachments().count == 1)
        #expect(service.calls.isEmpty)
    }

    /// The plugin has no coder: it writes by hand what the agent reads by one.
    @Test func `what the plugin writes is what the agent reads`() throws {
        #expect(try APICoding.decode(AttachmentRequest.self, from: Array(Self.request.json.text.utf8)) == Self.request)
        let name = Self.request.name
        let collection = AttachmentCollection(network: "n", valid: [name])
        #expect(try APICoding.decode(AttachmentCollection.self, from: Array(collection.json.text.utf8)) == collection)
        for change in [PendingChange.add(Self.request), .delete(name)] {
            #expect(try APICoding.decode(PendingChange.self, from: Array(change.json.text.utf8)) == change)
            let coded = try JSONValue(json: APICoding.encode(change))
            #expect(try APICoding.decode(PendingChange.self, from: Array(coded.text.utf8)) == change)
        }
    }
}
