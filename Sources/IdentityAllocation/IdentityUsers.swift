// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
import NetworkModel

extension IdentityAllocator {
    /// A subject in use, with its slot.
    package struct Subject: Hashable, Sendable {
        package var slot: UInt16
        package var identity: NumericIdentity
        package var key: SubjectKey
    }

    /// The endpoints of one subject.
    struct SubjectUsers: Sendable {
        var count: Int
        var identity: NumericIdentity
    }

    /// The endpoints of one identity.
    struct IdentityUsers: Sendable {
        var labels: LabelSet
        var count = 0
        /// How many have which names of ports; those without any are left out.
        var ports: [NamedPorts: Int] = [:]

        init(labels: LabelSet) { self.labels = labels }

        var namedPorts: NamedPorts { ports.keys.reduce(NamedPorts()) { $0.union($1) } }
    }

    /// The host itself.
    struct HostSide: Sendable {
        var labels = LabelSet([Label(source: LabelSource.reserved, key: "host")])
        var addresses: Set<IPAddress> = []
        /// Endpoints that are the host, with their labels.
        var endpoints: [String: LabelSet] = [:]
    }

    /// What has to be looked at by the next `settle`.
    struct Touched: Sendable {
        var names: Set<NameSelector> = []
        var identities: Set<NumericIdentity> = Set(reservedIdentities.map(\.identity))
        /// The owners of touched numbers that are local.
        var locals: [NumericIdentity: LocalKey] = [:]
        var prefixes: Set<CIDR> = []
        var addresses: Set<IPAddress> = []
        /// Slots whose subject came, went or changed, with the one they had before.
        var subjects: [UInt16: Subject?] = [:]
    }
}
