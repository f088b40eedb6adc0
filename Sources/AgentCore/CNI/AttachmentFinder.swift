// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import ControlAPI
import Glibc
import LinuxHost
import NetworkModel

/// Finds the host's end of an interface inside a container.
protocol AttachmentFinding: Sendable {
    func find(_ request: AttachmentRequest) async throws(APIError) -> Attachment
    func exists(_ host: Workload.Interface) -> Bool
}

/// Asks the kernel: what a runtime says of the other end may be wrong, and what is inside may say anything.
struct AttachmentFinder: AttachmentFinding {
    private let inspector: NamespaceThread
    private let hostInode: UInt64

    init() throws(AgentError) {
        do throws(HostError) {
            inspector = try NamespaceThread()
            hostInode = try NetworkNamespace.own.inode()
        } catch {
            throw AgentError("\(error)")
        }
    }

    func find(_ wanted: AttachmentRequest) async throws(APIError) -> Attachment {
        var request = wanted
        request.namespacePath = Self.reachable(wanted.namespacePath)
        let found: NamespaceInterfaces
        do {
            found = try await inspector.interfaces(of: .path(request.namespacePath))
        } catch {
            throw APIError(.refused, "\(error)")
        }
        guard found.inode != hostInode else {
            throw APIError(.refused, "\(request.namespacePath) is the host's own network namespace")
        }
        guard let inside = found.interfaces.first(where: { $0.link.name == request.interface }) else {
            throw APIError(.refused, "there is no interface \(request.interface) in \(request.namespacePath)")
        }
        guard let index = inside.hostIndex, let name = deviceName(index) else {
            throw APIError(.refused, "\(inside.noHostEnd): put it on a bridge or use veth pairs")
        }
        let local = inside.addresses.filter(\.isLinkScoped).map(\.address.description)
        return Attachment(
            request: request, host: .init(name: name, index: UInt32(index)), linkLocalAddresses: local.sorted())
    }

    /// Runtimes say `/var/run/netns/NAME`; an agent in a container has `/run/netns` alone.
    static func reachable(_ path: String) -> String {
        guard path.hasPrefix("/var/run/"), unsafe access(path, F_OK) != 0 else { return path }
        return String(path.dropFirst("/var".count))
    }

    func exists(_ host: Workload.Interface) -> Bool { deviceName(Int32(bitPattern: host.index)) != nil }
}

extension NamespaceInterface {
    fileprivate var noHostEnd: String {
        link.kind == "veth"
            ? "the other end of \(link.name) is not in the agent's network namespace"
            : "\(link.name) is a \(link.kind ?? "physical") device without an end of its own on the host"
    }
}
