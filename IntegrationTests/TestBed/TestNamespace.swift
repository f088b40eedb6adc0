// SPDX-License-Identifier: Apache-2.0

package import LinuxHost

/// A named network namespace of a test bed, with loopback up, no reverse-path filter and no duplicate detection.
package final class TestNamespace: Sendable {
    package let bed: TestBed
    /// Its name with the bed's prefix, as in `ip netns`.
    package let name: String

    /// The file that stands for it.
    package var path: String { "/run/netns/\(name)" }

    /// The same for LinuxHost.
    package var reference: NetworkNamespace { .path(path) }

    init(bed: TestBed, name: String) {
        self.bed = bed
        self.name = name
    }

    /// `arguments` as a command that runs inside: nsenter, because `ip netns exec` would hide mounts.
    package func command(_ arguments: [String]) -> [String] {
        ["nsenter", "--net=\(path)", "--"] + arguments
    }

    /// Runs a command inside to its end; the status is the caller's to check.
    @discardableResult
    package func run(
        _ arguments: [String], environment: [String: String] = [:], input: String? = nil,
        within limit: Duration = .seconds(60)
    ) async throws -> CommandResult {
        try await bed.run(command(arguments), environment: environment, input: input, within: limit)
    }

    /// Runs a shell script inside and checks its status.
    @discardableResult
    package func shell(_ script: String, within limit: Duration = .seconds(60)) async throws -> CommandResult {
        try await run(["sh", "-ec", script], within: limit).checked()
    }

    /// Starts a process inside; it is killed with the bed.
    package func start(_ arguments: [String], environment: [String: String] = [:]) throws -> SpawnedProcess {
        try bed.start(command(arguments), environment: environment)
    }

    /// Makes it in the kernel.
    func make(isForwarding: Bool) async throws {
        try await bed.shell("ip netns add \(name)")
        try await shell(
            """
            ip link set lo up
            cd /proc/sys/net
            for f in ipv4/conf/all/rp_filter ipv4/conf/default/rp_filter ipv6/conf/all/accept_dad \
                ipv6/conf/default/accept_dad; do echo 0 > $f; done
            echo \(isForwarding ? 1 : 0) > ipv4/ip_forward
            echo \(isForwarding ? 1 : 0) > ipv6/conf/all/forwarding
            """)
    }

    /// Removes it before the bed goes: as when a workload is deleted.
    package func remove() async throws {
        try await bed.shell("ip netns del \(name)")
    }
}

extension TestBed {
    /// Makes a namespace.
    /// - Parameter isForwarding: whether it forwards packets; set in any case, because a new one inherits it.
    package func namespace(_ stem: String, isForwarding: Bool = false) async throws -> TestNamespace {
        let namespace = TestNamespace(bed: self, name: name(stem))
        try noteCleanup("ip netns del \(namespace.name)")
        try await namespace.make(isForwarding: isForwarding)
        return namespace
    }

    /// Makes a veth pair with an end in each namespace, both up.
    /// - Parameters:
    ///   - addresses: of the first end, with prefix length: `10.200.0.1/24`.
    ///   - peerAddresses: of the second end.
    package func veth(
        _ namespace: TestNamespace, _ interface: String, addresses: [String] = [],
        to peer: TestNamespace, _ peerInterface: String, peerAddresses: [String] = []
    ) async throws {
        try await shell(
            """
            ip link add \(interface) netns \(namespace.name) type veth \
                peer name \(peerInterface) netns \(peer.name)
            """)
        for (end, name, list) in [(namespace, interface, addresses), (peer, peerInterface, peerAddresses)] {
            let lines = ["link set \(name) up"] + list.map { "address add \($0) dev \(name) \(nodad($0))" }
            try await ipBatch(end, lines)
        }
    }

    /// Runs `ip -batch` inside a namespace.
    package func ipBatch(_ namespace: TestNamespace, _ lines: [String]) async throws {
        try await run(
            ["ip", "-n", namespace.name, "-batch", "-"], input: lines.joined(separator: "\n") + "\n"
        ).checked()
    }
}

/// `nodad` for IPv6, which would otherwise be unusable for its first second.
private func nodad(_ address: String) -> String { address.contains(":") ? "nodad" : "" }
