// SPDX-License-Identifier: Apache-2.0

import FirewallImport
import FirewallOracle
import Glibc
import LinuxHost
import NetworkModel
import PolicyModel
import TestBed
import Testing

/// Random rulesets in the kernel's own hands: what it lets in is what the imported policy lets in.
///
/// Packets go by loopback, each with a number in its IP header; what came to a table before and behind the rules is read
/// from there.
@Suite(.serialized) struct KernelVerdictTests {
    private static let watch = """
        table ip watch {
          set sent { typeof ip id; flags dynamic; size 65535; }
          set accepted { typeof ip id; flags dynamic; size 65535; }
          chain before { type filter hook input priority -300; update @sent { ip id }; }
          chain behind { type filter hook input priority 300; update @accepted { ip id }; }
        }
        """

    @Test func `the imported policy lets in what the kernel lets in`() async throws {
        try await withTestBed(subnet: 45) { bed in
            let namespace = try await bed.namespace("fw")
            try await namespace.shell("ip address add 198.51.100.1/32 dev lo")
            try writeFile(bed.path("watch.nft"), Self.watch)
            try await namespace.shell("nft -f \(bed.path("watch.nft"))")
            let thread = try NamespaceThread()
            var generator = SeededGenerator(seed: 20_261_122)
            for round in 0..<80 {
                let firewall = RandomFirewall(&generator)
                // The kernel takes no rule that nothing can match.
                guard !firewall.saved.contains("! -s 0.0.0.0/0") else { continue }
                _ = try await namespace.run(["iptables-restore"], input: firewall.saved).checked()
                try await namespace.shell("nft flush set ip watch sent; nft flush set ip watch accepted")
                try await thread.run(in: namespace.reference) { try sendAll() }
                let accepted = try await Self.accepted(namespace)
                // Both what was given to the tool and what it prints.
                let printed = try await namespace.run(["iptables-save", "-t", "filter"]).checked().output
                for text in [firewall.saved, printed] {
                    let verdicts = try ImportedVerdicts(text)
                    #expect(verdicts.errors.map(\.description) == [])
                    let differences = RandomFirewall.packets.enumerated().filter { index, packet in
                        verdicts.accepts(packet) != accepted.contains(index + 1)
                    }.map { "\($1) is \(accepted.contains($0 + 1) ? "accepted" : "dropped") by the kernel" }
                    #expect(differences.prefix(1) == [], "round \(round)\n\(text)\n\(verdicts.yaml)")
                }
            }
        }
    }

    /// Numbers of the packets that came through, once all have arrived.
    private static func accepted(_ namespace: TestNamespace) async throws -> Set<Int> {
        func numbers(_ set: String) async throws -> Set<Int> {
            let text = try await namespace.run(["nft", "list", "set", "ip", "watch", set]).checked().output
            guard let start = text.firstRange(of: "elements = {") else { return [] }
            let elements = text[start.upperBound...].prefix { $0 != "}" }
            return Set(elements.split { !$0.isNumber }.compactMap { Int($0) })
        }
        for _ in 0..<100 {
            if try await numbers("sent").count == RandomFirewall.packets.count { return try await numbers("accepted") }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw TestBedError("packets are missing: \(try await numbers("sent").count) came")
    }
}

/// Sends every packet by the calling thread's loopback, numbered from 1.
private func sendAll() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_RAW.rawValue), rawProtocol)
    guard descriptor >= 0 else { throw TestBedError("no raw socket: errno \(errno)") }
    defer { close(descriptor) }
    var destination = sockaddr_in()
    destination.sin_family = sa_family_t(AF_INET)
    destination.sin_addr.s_addr = UInt32(0xc633_6401).bigEndian
    for (index, packet) in RandomFirewall.packets.enumerated() {
        let bytes = datagram(packet, number: UInt16(index + 1))
        let count = unsafe bytes.withUnsafeBytes { bytes in
            unsafe withUnsafePointer(to: &destination) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe sendto(
                        descriptor, bytes.baseAddress, bytes.count, 0, address,
                        socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        guard count == bytes.count else { throw TestBedError("\(packet) was not sent: errno \(errno)") }
    }
}

private let rawProtocol: Int32 = 255

/// An IPv4 datagram with as much of the protocol as the kernel's matches read; it fills in the header's sum.
private func datagram(_ packet: RandomFirewall.Packet, number: UInt16) -> [UInt8] {
    func big(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }
    let payload: [UInt8] =
        switch packet.proto {
        case .tcp: big(40_000) + big(packet.port) + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]
        case .udp: big(40_000) + big(packet.port) + [0, 8, 0, 0]
        case .sctp: big(40_000) + big(packet.port) + [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 4]
        case .icmp: [UInt8(packet.port), 0, 0, 0, 0, 0, 0, 0]
        default: [UInt8](repeating: 0, count: 8)
        }
    let header: [UInt8] =
        [0x45, 0] + big(20 + payload.count) + big(Int(number)) + [0, 0, 64, packet.proto.rawValue, 0, 0]
    let source = "\(packet.source)".split(separator: ".").compactMap { UInt8($0) }
    return header + source + [198, 51, 100, 1] + payload
}
