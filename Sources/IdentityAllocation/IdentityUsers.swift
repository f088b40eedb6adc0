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
        private var ports = PortTally()

        init(labels: LabelSet) { self.labels = labels }

        var namedPorts: NamedPorts { ports.all }

        /// One comes, or goes.
        mutating func note(_ endpoint: Endpoint, _ change: Int) {
            count += change
            if !endpoint.namedPorts.numbers.isEmpty { ports.count(endpoint.namedPorts, change) }
        }
    }

    /// How many endpoints of an identity have which names of ports.
    ///
    /// Mostly all have the same: there are as many identities as label sets, and few need a table.
    struct PortTally: Sendable {
        private var first = NamedPorts()
        private var countOfFirst = 0
        private var others: [NamedPorts: Int] = [:]

        var all: NamedPorts { others.keys.reduce(countOfFirst > 0 ? first : NamedPorts()) { $0.union($1) } }

        mutating func count(_ ports: NamedPorts, _ change: Int) {
            if countOfFirst == 0, others[ports] == nil { first = ports }
            if first == ports {
                countOfFirst += change
            } else {
                let count = others[ports, default: 0] + change
                others[ports] = count > 0 ? count : nil
            }
        }
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
