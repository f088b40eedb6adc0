// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel

/// Something on this host whose traffic can be policed: a container, a pod, or an entry of the workloads file.
///
/// What shares a network namespace is one workload, because its packets cannot be told apart.
package struct Workload: Hashable, Sendable {
    /// Unique on this host and stable for the workload's life: `podman:<id>`, `file:<namespace>/<name>`.
    package var id: String
    package var name: String
    /// Where policies look for it: see `WorkloadLabels`.
    package var namespace: String
    /// What its identity is made from, the namespace label included.
    package var labels: [Label]
    /// The image as the user named it; nil without one.
    package var image: String?
    /// Who runs it: `podman`, `docker`, `file`.
    package var runtime: String
    /// The inode of its network namespace; nil if it has none of its own.
    package var networkNamespaceInode: UInt64?
    /// Where it can be attached; empty if nowhere.
    package var interfaces: [WorkloadInterface]
    /// Addresses that the engine gave it, as the engine says.
    package var engineAddresses: [IPAddress]
    package var namedPorts: [NamedPort]
    /// Its first process; nil if not known.
    package var pid: Int32?
    /// False: it may send from addresses that are not its own (a router, a VPN gateway).
    package var isSourceChecked: Bool
    /// Why it cannot be policed, with the remedy; nil if it can.
    package var problem: String?
    /// Why `interfaces` and their addresses are not all that there is inside; nil if they are.
    package var readProblem: String?

    /// Makes a workload from its parts.
    package init(
        id: String, name: String, namespace: String = WorkloadLabels.defaultNamespace, labels: [Label] = [],
        image: String? = nil, runtime: String, networkNamespaceInode: UInt64? = nil,
        interfaces: [WorkloadInterface] = [], engineAddresses: [IPAddress] = [], namedPorts: [NamedPort] = [],
        pid: Int32? = nil, isSourceChecked: Bool = true, problem: String? = nil, readProblem: String? = nil
    ) {
        self.id = id
        self.name = name
        self.namespace = namespace
        self.labels = labels
        self.image = image
        self.runtime = runtime
        self.networkNamespaceInode = networkNamespaceInode
        self.interfaces = interfaces
        self.engineAddresses = engineAddresses
        self.namedPorts = namedPorts
        self.pid = pid
        self.isSourceChecked = isSourceChecked
        self.problem = problem
        self.readProblem = readProblem
    }
}

/// A link of a workload, as seen from the host.
package struct WorkloadInterface: Hashable, Sendable {
    /// Index of the host's end, in the host's namespace.
    package var hostIndex: Int32
    /// Name of the workload's end; for a bare host interface the name of that.
    package var name: String
    /// Addresses of the workload's end that peers use.
    package var addresses: [IPAddress]
    /// Addresses valid on the link only; the workload needs them for neighbour discovery.
    package var linkLocalAddresses: [IPAddress]

    /// Makes an interface from its parts.
    package init(hostIndex: Int32, name: String, addresses: [IPAddress], linkLocalAddresses: [IPAddress] = []) {
        self.hostIndex = hostIndex
        self.name = name
        self.addresses = addresses
        self.linkLocalAddresses = linkLocalAddresses
    }
}

/// A port a policy may name instead of number.
package struct NamedPort: Hashable, Sendable {
    package let name: String
    package let port: UInt16
    package let transport: IPProtocol

    /// Makes a named port from its parts.
    package init(name: String, port: UInt16, transport: IPProtocol) {
        self.name = name
        self.port = port
        self.transport = transport
    }
}
