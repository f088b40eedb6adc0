// SPDX-License-Identifier: Apache-2.0

/// A host in the small: a namespace with a bridge `br0` and workloads behind veths on it.
///
/// The bridge has 10.N.0.1/16 and fdbb:n::1/64, see `TestBed.subnet`; one of several hosts 10.N.P.1/24 and fdbb:n:0:P::1/64.
package final class TestHost: Sendable {
    package let bed: TestBed
    /// The host's own namespace; the agent under test runs in it.
    package let namespace: TestNamespace

    /// Which part of the bed's addresses it has; nil: all of them.
    package let part: Int?

    /// The bridge's addresses: the workloads' gateway.
    package var gateway4: String { address4(1) }
    package var gateway6: String { part == nil ? "fdbb:\(bed.subnet)::1" : "fdbb:\(bed.subnet):0:\(part ?? 0)::1" }
    var prefixLength: Int { part == nil ? 16 : 24 }

    init(bed: TestBed, namespace: TestNamespace, part: Int?) {
        self.bed = bed
        self.namespace = namespace
        self.part = part
    }

    private func address4(_ number: Int) -> String {
        "10.\(bed.byte).\(part ?? number >> 8).\(number & 255)"
    }

    /// Adds a workload: a namespace with `eth0` whose other end `v<number>` is a port of the bridge.
    /// - Parameter number: 2...65000, of one of several hosts 2...254; decides the addresses.
    package func addWorkload(_ stem: String, number: Int) async throws -> TestWorkload {
        let inside = try await bed.namespace(stem)
        let workload = TestWorkload(
            namespace: inside, hostInterface: "v\(number)",
            address4: address4(number), address6: gateway6.dropLast() + String(number + 0x1000, radix: 16))
        try await connect(workload)
        return workload
    }

    /// Makes the namespace of a workload that was removed anew, under the same name and with the same addresses.
    package func remake(_ workload: TestWorkload) async throws {
        try await workload.namespace.make(isForwarding: false)
        try await connect(workload)
    }

    /// Links the workload's namespace with the bridge.
    private func connect(_ workload: TestWorkload) async throws {
        let inside = workload.namespace
        try await bed.veth(
            namespace, workload.hostInterface, to: inside, "eth0",
            peerAddresses: ["\(workload.address4)/\(prefixLength)", "\(workload.address6)/64"])
        try await bed.ipBatch(namespace, ["link set \(workload.hostInterface) master br0"])
        try await bed.ipBatch(
            inside, ["route add default via \(gateway4)", "route add ::/0 via \(gateway6)"])
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
    /// Makes a host.
    /// - Parameters:
    ///   - isBridged: false: without the bridge, whose network is in the way of container engines' own.
    ///   - part: 1...249, of one of several hosts: which of the bed's addresses it has.
    package func host(_ stem: String = "host", isBridged: Bool = true, part: Int? = nil) async throws -> TestHost {
        let host = TestHost(bed: self, namespace: try await namespace(stem, isForwarding: true), part: part)
        guard isBridged else { return host }
        try await ipBatch(
            host.namespace,
            [
                "link add br0 type bridge", "link set br0 up",
                "address add \(host.gateway4)/\(host.prefixLength) dev br0",
                "address add \(host.gateway6)/64 dev br0 nodad",
            ])
        return host
    }
}
