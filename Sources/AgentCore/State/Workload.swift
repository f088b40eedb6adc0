// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import KernelDatapath
package import NetworkModel

/// A workload as its source describes it, before it has a number and an identity.
package struct Workload: Hashable, Sendable {
    /// One interface of the workload, seen from the host.
    package struct Interface: Codable, Hashable, Sendable {
        package var name: String
        package var index: UInt32

        package init(name: String, index: UInt32) {
            self.name = name
            self.index = index
        }
    }

    /// Unique and lasting, as in `podman:4f1c…` or `workload:vm1`.
    package var key: String
    /// What people call it; unique on this host.
    package var name: String
    /// `podman`, `docker`, `workloads`, `host`.
    package var source: String
    /// Labels that make up its identity.
    package var labels: LabelSet
    package var addresses: Set<IPAddress>
    package var interfaces: [Interface]
    package var namedPorts: NamedPorts
    package var options: EndpointOptions
    /// Container id, image and so on.
    package var details: [String: String]
    /// Why it cannot be attached, if its source knows.
    package var problem: String?

    package init(
        key: String, name: String, source: String, labels: LabelSet, addresses: Set<IPAddress>,
        interfaces: [Interface], namedPorts: NamedPorts = NamedPorts(), options: EndpointOptions = [],
        details: [String: String] = [:], problem: String? = nil
    ) {
        self.key = key
        self.name = name
        self.source = source
        self.labels = labels
        self.addresses = addresses
        self.interfaces = interfaces
        self.namedPorts = namedPorts
        self.options = options
        self.details = details
        self.problem = problem
    }

    /// True for the host endpoint.
    var isHost: Bool { options.contains(.host) }
}
