// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import KernelDatapath
package import NetworkModel
import PolicyModel

/// The processes of a service, by what the kernel knows of their sockets.
struct ServiceSockets: Hashable, Sendable {
    /// By path.
    var cgroups: [String: CgroupReference] = [:]
    var users: Set<UInt32> = []

    var isEmpty: Bool { cgroups.isEmpty && users.isEmpty }
}

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
    /// `podman`, `docker`, `workloads`, `host`, `service`.
    package var source: String
    /// Those that its source knows.
    package private(set) var ownLabels: LabelSet
    package var addresses: Set<IPAddress>
    /// Those of `addresses` that only the workload itself vouches for: found inside its namespace, declared by nobody.
    package var readAddresses: Set<IPAddress>
    package var interfaces: [Interface]
    package private(set) var ownPorts: NamedPorts
    /// What it has with what documents give it; nil: nothing else.
    private var belongings: EndpointGrants.Belongings?
    package var options: EndpointOptions
    /// Container id, image and so on.
    package var details: [String: String]
    /// Why it cannot be attached, if its source knows.
    package var problem: String?
    /// What its interfaces were found behind, for as long as the same is meant by it; nil if they were named directly.
    package var place: String?
    /// Why `interfaces` and `addresses` are not all that there is inside; nil if they are.
    package var readProblem: String?
    /// What is wrong with it although it is enforced.
    package var concerns: [String] = []
    /// Whose sockets are its own; nil: it is known by its interfaces.
    var sockets: ServiceSockets?

    package init(
        key: String, name: String, source: String, labels: LabelSet, addresses: Set<IPAddress>,
        readAddresses: Set<IPAddress> = [], interfaces: [Interface], namedPorts: NamedPorts = NamedPorts(),
        options: EndpointOptions = [], details: [String: String] = [:], problem: String? = nil, place: String? = nil,
        readProblem: String? = nil
    ) {
        self.key = key
        self.name = name
        self.source = source
        ownLabels = labels
        self.addresses = addresses
        self.readAddresses = readAddresses
        self.interfaces = interfaces
        ownPorts = namedPorts
        self.options = options
        self.details = details
        self.problem = problem
        self.place = place
        self.readProblem = readProblem
    }

    /// Labels that make up its identity; set, they are its own.
    package var labels: LabelSet {
        get { belongings?.labels ?? ownLabels }
        set { (ownLabels, belongings) = (newValue, nil) }
    }

    package var namedPorts: NamedPorts {
        get { belongings?.ports ?? ownPorts }
        set { (ownPorts, belongings) = (newValue, nil) }
    }

    /// With what documents give it, and without what others gave it before.
    func granted(_ grants: EndpointGrants) -> Workload {
        var copy = self
        let given = grants.applied(labels: ownLabels, ports: ownPorts, isHost: isHost)
        copy.belongings = given.labels == ownLabels && given.ports == ownPorts ? nil : given
        return copy
    }

    /// True if it is another workload in nothing but what documents give it.
    func isSame(butForGrants other: Workload) -> Bool {
        var (mine, theirs) = (self, other)
        (mine.belongings, theirs.belongings) = (nil, nil)
        return mine == theirs
    }

    /// True for the host endpoint and for its services.
    var isHost: Bool { options.contains(.host) }

    /// True for processes of the host that are judged by themselves.
    var isService: Bool { sockets != nil }
}
