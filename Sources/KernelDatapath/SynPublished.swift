// SPDX-License-Identifier: Apache-2.0
package import BPFRuntime
import CDatapathABI
package import NetworkModel

/// A port of the host whose SYNs were seen to get to a listener in another network namespace, by address translation.
package struct SynPublished: Hashable, Sendable {
    package var address: IPAddress
    package var port: UInt16
    /// Number of the device that they come in by.
    package var device: UInt32
    package var target: IPAddress
    package var targetPort: UInt16
    /// True if cookies that were let through did not get there: nobody is answered ahead for a minute.
    package var isGivenUp: Bool
}

extension SynTables {
    /// Those that were seen within the lifetime of cookies, in order of their addresses.
    package func published() throws(BPFError) -> [SynPublished] {
        let now = SynTables.now()
        var found: [SynPublished] = []
        try publishedPorts.forEach { key, value in
            guard now < value.confirmed + UInt64(SYN_LIFETIME_NS) else { return }
            found.append(
                SynPublished(
                    address: IPAddress(key.address), port: UInt16(bigEndian: key.port), device: key.device,
                    target: IPAddress(value.target.address), targetPort: UInt16(bigEndian: value.target.port),
                    isGivenUp: value.failed > 0 && now < value.failed + 60_000_000_000))
        }
        return found.sorted { ($0.address, $0.port, $0.device) < ($1.address, $1.port, $1.device) }
    }
}
