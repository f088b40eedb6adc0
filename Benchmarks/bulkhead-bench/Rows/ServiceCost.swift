// SPDX-License-Identifier: Apache-2.0

import Glibc
import IdentityModel
import KernelDatapath
import LinuxHost

/// What configured services cost the packets of those processes of the host that are none.
///
/// One thread sends small UDP datagrams to itself over loopback, the cheapest packets there are: each passes both programs
/// on the cgroup hierarchy. The sockets are made in a cgroup as deep as a unit's, so that the look-up is not spared.
enum ServiceCost: Benchmark {
    static let name = "services"
    static let summary = "packets of the host's other processes, with services configured and without"
    private static let bound = 1.25

    /// What is configured: units of one slice; the same with a service in deeper slices and users.
    private enum Setting: String, CaseIterable {
        case units = "100 units"
        case all = "100 units, three levels, 10 users"
    }

    static func run(_ effort: Effort) throws -> [Row] {
        try BenchThread.run(in: .fresh) {
            let field = try ServiceBench()
            let talk = try field.inUnit { try LoopbackTalk() }
            var rows: [Row] = []
            for setting in Setting.allCases {
                var samples = PairedSamples()
                for round in 1...effort.rounds {
                    let packets = effort.isQuick ? 50_000 : 400_000
                    try field.set(services: 0)
                    var without = try talk.cost(packets: packets)
                    try field.set(
                        services: 100, levels: setting == .all ? 3 : 1, users: setting == .all ? 10 : 0)
                    let with = try talk.cost(packets: packets)
                    try field.set(services: 0)
                    without = min(without, try talk.cost(packets: packets))
                    samples.add(ours: with, peer: without)
                    report(
                        "  services, round \(round): \(ResultTable.number(with)) ns/packet, "
                            + "without \(ResultTable.number(without))")
                }
                rows.append(
                    Row(
                        "services: others' packets, \(setting.rawValue)", unit: "ns/packet", samples: samples,
                        peerName: "no services", bound: bound))
            }
            return rows
        }
    }
}

/// The datapath with services that nobody is, and a cgroup of this run's own.
private final class ServiceBench {
    private let datapath: Datapath
    private let root: String
    private let slice: String
    private let pins = "/sys/fs/bpf/bulkhead-bench-services-\(getpid())"

    init() throws {
        guard let root = try CgroupRoot.find() else { throw BenchError("this machine has no cgroup2") }
        self.root = root
        slice = "\(root)/bulkhead-bench-\(getpid()).slice"
        datapath = try Datapath(directory: PinDirectory(root: pins))
    }

    deinit { removePins(below: pins) }

    /// Runs `body` while this process is in a unit's cgroup, which its sockets then are of.
    func inUnit<Result>(_ body: () throws -> Result) throws -> Result {
        let unit = "\(slice)/other.service"
        for directory in [slice, unit] where unsafe mkdir(directory, 0o755) != 0 && errno != EEXIST {
            throw BenchError("cannot make the cgroup \(directory): errno \(errno); run as root")
        }
        let home = try readTextFile("/proc/self/cgroup").split(separator: "\n").first { $0.hasPrefix("0::") }
        try enter(unit)
        defer {
            try? enter(root + (home?.dropFirst(3) ?? ""))
            unsafe rmdir(unit)
            unsafe rmdir(slice)
        }
        return try body()
    }

    private func enter(_ cgroup: String) throws {
        let file = unsafe open("\(cgroup)/cgroup.procs", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { throw BenchError("cannot enter the cgroup \(cgroup): errno \(errno)") }
        defer { close(file) }
        guard unsafe write(file, "0\n", 2) == 2 else {
            throw BenchError("cannot enter the cgroup \(cgroup): errno \(errno)")
        }
    }

    /// Services told by cgroups that do not exist, and by users that nobody is.
    func set(services: Int, levels: Int = 1, users: Int = 0) throws {
        let all = (0..<services).map { index in
            DatapathService(
                number: UInt16(2 + index), subject: 1, identity: NumericIdentity(rawValue: 1), options: [.host],
                cgroups: [CgroupReference(id: 1 << 60 | UInt64(index), level: levels == 1 ? 2 : 1 + index % levels)],
                users: index < users ? [UInt32(3_000_000_000) + UInt32(index)] : [])
        }
        let namespace = try NetworkNamespace.own.inode()
        try datapath.setServices(
            all, in: ServiceField(cgroupRoot: root, networkNamespace: UInt32(truncatingIfNeeded: namespace)))
    }
}

/// A socket that sends to itself over loopback.
private final class LoopbackTalk {
    private let socket: Int32

    init() throws {
        _ = try Command.run(["ip", "link", "set", "lo", "up"])
        socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw BenchError("cannot make a socket: errno \(errno)") }
        let own = SocketAddress(address: 0x7f00_0001, port: 9900)
        guard unsafe own.withPointer({ unsafe bind(socket, $0, $1) }) == 0,
            unsafe own.withPointer({ unsafe connect(socket, $0, $1) }) == 0
        else { throw BenchError("cannot talk over loopback: errno \(errno)") }
    }

    deinit { close(socket) }

    /// CPU nanoseconds for a datagram sent and received: the least of eight parts.
    func cost(packets: Int) throws -> Double {
        var best = Double.infinity
        for _ in 0..<8 {
            let begin = Clocks.thread
            for _ in 0..<packets / 8 {
                var byte: UInt8 = 1
                guard unsafe send(socket, &byte, 1, 0) == 1, unsafe recv(socket, &byte, 1, 0) == 1 else {
                    throw BenchError("a datagram over loopback is lost: errno \(errno)")
                }
            }
            best = min(best, Double(Clocks.thread - begin) / Double(packets / 8))
        }
        return best
    }
}
