// SPDX-License-Identifier: Apache-2.0

import IdentityModel
package import NetworkModel

extension IdentityAllocator {
    /// An address that an endpoint of another host names, and that stands for somebody else.
    package struct RefusedAddress: Hashable, Sendable {
        package var address: IPAddress
        /// The endpoint that does not have it.
        package var name: String
        /// The endpoint that has it; nil: it is the host's own.
        package var owner: String?
    }

    /// The addresses that endpoints of other hosts name in vain, by address and name.
    ///
    /// Those whose owner is of the same identity are left out: they stand for what was written. Costs what is named
    /// more than once and what the host has, however many endpoints there are.
    package var refusedAddresses: [RefusedAddress] {
        var refused: [RefusedAddress] = []
        for address in host.addresses.union(owners.contested) {
            let isHosts = host.addresses.contains(address)
            let owner = isHosts ? nil : owners.owner(of: address)
            let identity = isHosts ? .host : owner.flatMap { assignmentTable[$0]?.identity }
            for name in owners.remoteClaimants(of: address)
            where name != owner && assignmentTable[name]?.identity != identity {
                refused.append(RefusedAddress(address: address, name: name, owner: owner))
            }
        }
        return refused.sorted { ($0.address, $0.name) < ($1.address, $1.name) }
    }
}
