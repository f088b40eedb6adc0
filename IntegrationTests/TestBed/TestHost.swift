// SPDX-License-Identifier: Apache-2.0

/// A host in the small: a namespace with a bridge `br0` (10.N.0.1/16, fdbb:n::1/64) and workloads behind veths on it.
package final class TestHost: Sendable {
    package let bed: TestBed
    /// The host's own namespace; the agent under test runs in it.
    package let namespace: TestNamespace

    /// The bridge's addresses: the workloads' gateway.
    package var gateway4: String { "10.\(200 + bed.subnet).0.1" }
    package var gateway6: String { "fdbb:\(bed.subnet)::1" }

    init(bed: TestBed, namespace: TestNamespace) {
        self.bed = bed
        self.namespace = namespace
    }

    /// Adds a workload: a namespace with `eth0` whose other end `v<number>` is a port of the bridge.
    /// - Parameter number: 2...65000; decides the addresses.
    package func addWorkload(_ stem: String, number: Int) async throws -> TestWorkload {
        let inside = try await bed.namespace(stem)
        let workload = TestWorkload(
            namespace: inside, hostInterface: "v\(number)",
            address4: "10.\(200 + bed.subnet).\(number >> 8).\(number & 255)",
            address6: "fdbb:\(bed.subnet)::\(String(number + 0x1000, radix: 16))")
        try await bed.veth(
            namespace, workload.hostInterface, to: inside, "eth0",
            peerAddresses: ["\(workload.address4)/16", "\(workload.address6)/64"])
        try await bed.ipBatch(namespace, ["link set \(workload.hostInterface) master br0"])
        try await bed.ipBatch(
            inside, ["route add default via \(gateway4)", "route add ::/0 via \(gateway6)"])
        return workload
    }
}

/// A workload of a `TestHost`.
package struct TestWorkload: Sendable {
    /// The workload's own namespace.
    package let namespace: TestNamespace
    /// Name of the host's end of its link.
    package let hostInterface: String
    package let address4: String
    package let address6: String

    /// True if a TCP connection to that address and port opens within a second.
    package func canConnect(to address: String, port: Int) async throws -> Bool {
        try await namespace.run(["nc", "-z", "-w", "1", address, String(port)], within: .seconds(5)).status == 0
    }

    /// True if an echo request is answered within a second.
    package func canPing(_ address: String) async throws -> Bool {
        try await namespace.run(["ping", "-n", "-c", "1", "-W", "1", address], within: .seconds(5)).status == 0
    }
}

extension TestBed {
    /// Makes a host with its bridge.
    package func host(_ stem: String = "host") async throws -> TestHost {
        let host = TestHost(bed: self, namespace: try await namespace(stem, isForwarding: true))
        try await ipBatch(
            host.namespace,
            [
                "link add br0 type bridge", "link set br0 up", "address add \(host.gateway4)/16 dev br0",
                "address add \(host.gateway6)/64 dev br0 nodad",
            ])
        return host
    }
}
