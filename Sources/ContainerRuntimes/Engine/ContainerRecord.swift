// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import NetworkModel

/// A running container as its engine describes it.
struct ContainerRecord: Hashable, Sendable {
    /// Who a container belongs to, where the engine has pods.
    struct Pod: Hashable, Sendable {
        var id: String
        var name: String
        var labels: [String: String]
    }

    var id: String
    var name: String
    var labels: [String: String]
    var image: String?
    /// Its first process on this host.
    var pid: Int32
    /// RFC 3339, as the engine writes it; good for ordering the containers of one engine.
    var createdAt: String
    var pod: Pod?
    /// True for the container that only holds a pod's namespaces.
    var isInfra: Bool
    /// The engine's file for the network namespace, if it names one.
    var sandboxPath: String?
    /// Addresses that the engine gave it.
    var addresses: [IPAddress] = []

    /// The process first: an engine's file may outlive the container, or be in another mount namespace.
    var ways: NamespaceInspector.Ways { [.process(pid)] + (sandboxPath.map { [.path($0)] } ?? []) }
}
