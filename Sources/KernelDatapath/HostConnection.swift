// SPDX-License-Identifier: Apache-2.0
import CDatapathABI
package import NetworkModel

/// A TCP connection of the host.
package struct HostConnection: Hashable, Sendable {
    package var local: IPAddress
    package var remote: IPAddress
    package var localPort: UInt16
    package var remotePort: UInt16

    package init(local: IPAddress, localPort: UInt16, remote: IPAddress, remotePort: UInt16) {
        self.local = local
        self.remote = remote
        self.localPort = localPort
        self.remotePort = remotePort
    }
}

extension HostConnection {
    /// As the kernel's list has it: of no endpoint.
    var key: conntrack_key {
        conntrack_key(
            local: ip_address(local), remote: ip_address(remote), local_port: localPort.bigEndian,
            remote_port: remotePort.bigEndian, endpoint: 0, protocol: IPProtocol.tcp.rawValue, one_way: 0)
    }

    init(_ key: conntrack_key) {
        self.init(
            local: IPAddress(key.local), localPort: UInt16(bigEndian: key.local_port), remote: IPAddress(key.remote),
            remotePort: UInt16(bigEndian: key.remote_port))
    }
}
