// SPDX-License-Identifier: Apache-2.0
import Glibc
import IdentityModel
import KernelDatapath
import KernelTesting
import NetworkModel
import PolicyCompiler
import Synchronization
import Testing

/// Everything here loads the product's programs; one test after the other.
///
/// Needs root: without it they fail.
@Suite(.serialized) enum DatapathKernelTests {}

/// A host namespace with one workload behind a veth pair, and a pin directory of its own; all gone afterwards.
struct Workbench: Sendable {
    static let numbers = Atomic<Int>(0)
    static let hostAddress = "10.203.7.1"
    static let workloadAddress = "10.203.7.2"

    let namespace: String
    let directory: PinDirectory
    let root: String

    /// Runs `body` in the host namespace, on a thread of its own.
    static func run(_ body: @escaping @Sendable (Workbench) throws -> Void) async throws {
        let name = "bhkd-\(getpid())-\(numbers.add(1, ordering: .relaxed).newValue)"
        let root = "/sys/fs/bpf/bulkhead-test-\(name)"
        let bench = Workbench(namespace: name, directory: PinDirectory(root: root), root: root)
        try await inFreshNetworkNamespace {
            defer {
                _ = try? Datapath.remove(directory: bench.directory)
                _ = try? shell("ip netns del \(name)")
            }
            try shell("ip netns add \(name)")
            let (hostMAC, workloadMAC) = ("02:00:00:00:07:01", "02:00:00:00:07:02")
            try shell(
                "ip link add bhkd-w address \(hostMAC) type veth "
                    + "peer name eth0 address \(workloadMAC) netns \(name)")
            try shell("ip addr add \(hostAddress)/24 dev bhkd-w && ip link set bhkd-w up && ip link set lo up")
            try shell("ip -n \(name) addr add \(workloadAddress)/24 dev eth0 && ip -n \(name) link set eth0 up")
            // Known for good: an ARP request that was dropped would hold up the next packets for a second.
            try shell("ip neigh add \(workloadAddress) lladdr \(workloadMAC) dev bhkd-w nud permanent")
            try shell("ip -n \(name) neigh add \(hostAddress) lladdr \(hostMAC) dev eth0 nud permanent")
            try body(bench)
        }
    }

    func datapath(attachment: AttachmentKind? = nil, sizes: DatapathSizes = .small) throws -> Datapath {
        try Datapath(directory: directory, sizes: sizes, attachment: attachment)
    }

    /// The workload's endpoint: number 1, subject 3, identity 300.
    func endpoint() -> DatapathEndpoint {
        DatapathEndpoint(
            interface: unsafe if_nametoindex("bhkd-w"), number: 1, subject: 3,
            identity: NumericIdentity(rawValue: 300), addresses: [IPAddress(v4: 0x0acb_0702)])
    }

    /// True if the workload gets an answer from the host.
    func canPing() -> Bool {
        (try? shell("ip netns exec \(namespace) ping -c 1 -W 0.5 -n -q \(Self.hostAddress) >/dev/null 2>&1")) != nil
    }
}

extension DatapathSizes {
    static let small = DatapathSizes(
        policyBuckets: 1024, policyEntries: 1024, ipcacheChunks: 2, conntrackEntries: 4096, eventBytes: 1 << 16)
}

extension MapState {
    /// The workload's subject without any policy.
    static let open = MapState(subjects: [3: .open])

    /// The workload may send nothing.
    static let closed = MapState(
        subjects: [
            3: SubjectState(
                defaultDeny: [true, false], defaultDenyAll: [true, false], probeMask: [[0, 0], [0, 0]],
                defaultDenyRule: [20, 0])
        ])
}
