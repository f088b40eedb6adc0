// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

@testable import LinuxHost

@Suite struct OpenConnectionTests {
    private let tcp = """
          sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
           0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
           1: 0107C80A:0016 0207C80A:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1
           2: 0107C80A:9C40 0207C80A:1F90 08 00000000:00000000 00:00000000 00000000     0        0 3 1
           3: 0107C80A:9C41 0207C80A:1F90 06 00000000:00000000 00:00000000 00000000     0        0 0 1
        """
    private let tcp6 = """
          sl  local_address                         remote_address                        st tx_queue
           0: 0000BBFD070034000000000001000000:0016 0000BBFD070034000000000002000000:C351 01 00000000
           1: 0000000000000000FFFF00000107C80A:0050 0000000000000000FFFF00000207C80A:C352 01 00000000
           2: nonsense
        """

    @Test func `connections that are open are found, with who opened them`() throws {
        let found = OpenConnection.parse([tcp, tcp6])
        let host = try #require(IPAddress("10.200.7.1")), client = try #require(IPAddress("10.200.7.2"))
        let host6 = try #require(IPAddress("fdbb:0:34:7::1")), client6 = try #require(IPAddress("fdbb:0:34:7::2"))
        #expect(
            found == [
                .init(local: host, localPort: 22, remote: client, remotePort: 50000, isInbound: true),
                .init(local: host, localPort: 40000, remote: client, remotePort: 8080, isInbound: false),
                .init(local: host6, localPort: 22, remote: client6, remotePort: 50001, isInbound: true),
                // IPv4 over a socket of IPv6.
                .init(local: host, localPort: 80, remote: client, remotePort: 50002, isInbound: false),
            ])
    }

    @Test func `this host's tables can be read`() throws {
        _ = try OpenConnection.all()
    }
}
