// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Something that is to be found, and how long that may take.
struct Attack: Sendable {
    enum Traffic: Sendable {
        /// nmap by an attacker outside, with an address of its own.
        case scan([String])
        /// nmap by the workload.
        case spread([String])
        /// Forged SYNs a second.
        case flood(Int)
    }

    let name: String
    let traffic: Traffic
    /// Of ours that has to find it.
    let detector: String
    /// Nil: forged.
    let source: String?
    /// Address of ours that is attacked; of a workload that attacks, its own.
    let target: String
    /// Seconds from the first packet to the finding.
    let bound: Double
    /// How long it goes on: who has found nothing by then is taken not to.
    let patience: Double

    /// Of the addresses that `SynFlood` forges.
    static let forgedPrefix = "198.1"

    private static let router = "10.219.1.1", routerBehind = "10.219.2.1"

    private static func scan(
        _ name: String, _ number: Int, _ arguments: [String], _ detector: String, target: String = router,
        bound: Double = 1, patience: Double = 8
    ) -> Attack {
        Attack(
            name: name, traffic: .scan(arguments), detector: detector, source: "10.219.1.\(number)", target: target,
            bound: bound, patience: patience)
    }

    /// Slow ones, which go on beside the others.
    static let slow = [
        scan(
            "nmap -sS -T2", 40, ["-sS", "-T2", "--top-ports", "1000", routerBehind], "port-scan",
            target: routerBehind, bound: 5, patience: 15),
        scan(
            "one probe per 5 s", 41,
            ["-sS", "-p", "1000-1100", "--scan-delay", "5s", "--max-retries", "0", routerBehind], "slow-scan",
            target: routerBehind, bound: 26, patience: 40),
    ]

    /// One after the other.
    static let quick =
        ["-sS", "-sT", "-sF", "-sX", "-sN", "-sA", "-sU"].enumerated().map { index, kind in
            scan(
                "nmap \(kind)", 20 + index, [kind, "--top-ports", "1000", router],
                ["-sS", "-sT", "-sU"].contains(kind) ? "port-scan" : "stealth-scan")
        } + [
            scan("horizontal scan", 30, ["-sS", "-p", "22", "10.219.2.0/24"], "network-scan"),
            Attack(
                name: "outbound fan-out, 50/s",
                traffic: .spread([
                    "-sS", "-p", "445", "--min-rate", "50", "--max-rate", "50", "--max-retries", "0",
                    "198.51.100.0/23",
                ]), detector: "fan-out", source: Topology.serverAddress, target: Topology.serverAddress, bound: 2,
                patience: 8),
            Attack(
                name: "SYN flood, 2 000/s", traffic: .flood(2000), detector: "syn-flood", source: nil, target: router,
                bound: 2, patience: 8),
            Attack(
                name: "SYN flood, 30 000/s", traffic: .flood(30_000), detector: "syn-flood", source: nil,
                target: Topology.serverAddress, bound: 1, patience: 8),
        ]
}

/// An attack that goes on until this ends.
final class RunningAttack {
    let attack: Attack
    private let first: FirstPacket
    private var nmap: AgentProcess?
    private var flood: SynFlood?

    /// `output`: for what nmap says.
    init(_ attack: Attack, in topology: Topology, output: String) throws {
        self.attack = attack
        let target = Self.bytes(attack.target)
        switch attack.traffic {
        case .scan(let arguments):
            let source = attack.source ?? ""
            // nmap takes the address that the way to its target names.
            try Command.run(
                ["ip", "-n", topology.client, "-batch", "-"],
                input: """
                    route replace 10.219.1.1/32 dev c0 src \(source)
                    route replace 10.219.2.0/24 via 10.219.1.1 src \(source)

                    """)
            first = try FirstPacket(at: "n0", in: topology.router, from: Self.bytes(source))
            nmap = try Self.nmap(arguments, in: topology.client, output)
        case .spread(let arguments):
            first = try FirstPacket(at: "n1", in: topology.router, from: target)
            nmap = try Self.nmap(arguments, in: topology.server, output)
        case .flood(let rate):
            first = try FirstPacket(at: "n0", in: topology.router, from: [198], to: target)
            flood = try SynFlood(topology: topology, target: target, port: 80, rate: rate)
        }
    }

    deinit { stop() }

    /// Nanoseconds since 1970; nil before it.
    var firstPacket: UInt64? {
        first.look()
        return first.time
    }

    func stop() {
        nmap?.kill()
        _ = flood?.stop()
        (nmap, flood) = (nil, nil)
    }

    private static func bytes(_ address: String) -> [UInt8] {
        address.split(separator: ".").compactMap { UInt8($0) }
    }

    private static func nmap(_ arguments: [String], in namespace: String, _ output: String) throws -> AgentProcess {
        try AgentProcess(
            [
                "nsenter", "--net=/run/netns/\(namespace)", "nmap", "-Pn", "-n", "--disable-arp-ping", "--send-ip",
            ] + arguments, environment: [], output: output)
    }
}
