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

    /// What the properties of the same names say.
    private struct Content: Hashable {
        var key: String
        var name: String
        var source: String
        var ownLabels: LabelSet
        var addresses: Set<IPAddress>
        var readAddresses: Set<IPAddress>
        var interfaces: [Interface]
        var ownPorts: NamedPorts
        var belongings: EndpointGrants.Belongings?
        var options: EndpointOptions
        var details: [String: String]
        var problem: String?
        var place: String?
        var readProblem: String?
        var concerns: [String] = []
        var sockets: ServiceSockets?
    }

    /// What copies share: a workload is looked at many times where it is changed once.
    private final class Box: Sendable {
        let content: Content

        init(_ content: Content) { self.content = content }
    }

    private var box: Box

    package init(
        key: String, name: String, source: String, labels: LabelSet, addresses: Set<IPAddress>,
        readAddresses: Set<IPAddress> = [], interfaces: [Interface], namedPorts: NamedPorts = NamedPorts(),
        options: EndpointOptions = [], details: [String: String] = [:], problem: String? = nil, place: String? = nil,
        readProblem: String? = nil
    ) {
        box = Box(
            Content(
                key: key, name: name, source: source, ownLabels: labels, addresses: addresses,
                readAddresses: readAddresses, interfaces: interfaces, ownPorts: namedPorts, options: options,
                details: details, problem: problem, place: place, readProblem: readProblem))
    }

    private mutating func change(_ body: (inout Content) -> Void) {
        var content = box.content
        body(&content)
        box = Box(content)
    }

    /// Unique and lasting, as in `podman:4f1c…` or `workload:vm1`.
    package var key: String {
        get { box.content.key }
        set { change { $0.key = newValue } }
    }

    /// What people call it; unique on this host.
    package var name: String {
        get { box.content.name }
        set { change { $0.name = newValue } }
    }

    /// `podman`, `docker`, `workloads`, `host`, `service`.
    package var source: String {
        get { box.content.source }
        set { change { $0.source = newValue } }
    }

    /// Those that its source knows.
    package private(set) var ownLabels: LabelSet {
        get { box.content.ownLabels }
        set { change { $0.ownLabels = newValue } }
    }

    package var addresses: Set<IPAddress> {
        get { box.content.addresses }
        set { change { $0.addresses = newValue } }
    }

    /// Those of `addresses` that only the workload itself vouches for: found inside its namespace, declared by nobody.
    package var readAddresses: Set<IPAddress> {
        get { box.content.readAddresses }
        set { change { $0.readAddresses = newValue } }
    }

    package var interfaces: [Interface] {
        get { box.content.interfaces }
        set { change { $0.interfaces = newValue } }
    }

    package private(set) var ownPorts: NamedPorts {
        get { box.content.ownPorts }
        set { change { $0.ownPorts = newValue } }
    }

    /// What it has with what documents give it; nil: nothing else.
    private var belongings: EndpointGrants.Belongings? {
        get { box.content.belongings }
        set { change { $0.belongings = newValue } }
    }

    package var options: EndpointOptions {
        get { box.content.options }
        set { change { $0.options = newValue } }
    }

    /// Container id, image and so on.
    package var details: [String: String] {
        get { box.content.details }
        set { change { $0.details = newValue } }
    }

    /// Why it cannot be attached, if its source knows.
    package var problem: String? {
        get { box.content.problem }
        set { change { $0.problem = newValue } }
    }

    /// What its interfaces were found behind, for as long as the same is meant by it; nil if they were named directly.
    package var place: String? {
        get { box.content.place }
        set { change { $0.place = newValue } }
    }

    /// Why `interfaces` and `addresses` are not all that there is inside; nil if they are.
    package var readProblem: String? {
        get { box.content.readProblem }
        set { change { $0.readProblem = newValue } }
    }

    /// What is wrong with it although it is enforced.
    package var concerns: [String] {
        get { box.content.concerns }
        set { change { $0.concerns = newValue } }
    }

    /// Whose sockets are its own; nil: it is known by its interfaces.
    var sockets: ServiceSockets? {
        get { box.content.sockets }
        set { change { $0.sockets = newValue } }
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
        var (mine, theirs) = (box.content, other.box.content)
        (mine.belongings, theirs.belongings) = (nil, nil)
        return mine == theirs
    }

    /// True for the host endpoint and for its services.
    var isHost: Bool { options.contains(.host) }

    /// True for processes of the host that are judged by themselves.
    var isService: Bool { sockets != nil }
}

extension Workload {
    package static func == (a: Workload, b: Workload) -> Bool { a.box === b.box || a.box.content == b.box.content }

    package func hash(into hasher: inout Hasher) { hasher.combine(box.content) }
}
