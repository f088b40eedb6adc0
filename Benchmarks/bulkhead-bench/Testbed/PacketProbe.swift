// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI

/// Asks the programs that an agent has pinned what they would do with a packet, and which generation is in force.
final class PacketProbe: @unchecked Sendable {
    // Sendable although not checked: nothing of it changes.
    private let configuration: MappedArray
    private let program: BPFProgram
    /// By number of the workload.
    private let interfaces: [UInt32]

    init(field: AgentField, workloads: Range<Int>) throws {
        guard let table = try FileDescriptor.pinned(at: field.pinnedVersion + "/maps/config_map"),
            let path = field.pinnedProgram("tc_to_endpoint"), let judge = try FileDescriptor.pinned(at: path)
        else { throw BenchError("the agent has pinned nothing under \(field.pinnedVersion)") }
        configuration = try MappedArray(table, name: "config_map")
        program = BPFProgram(descriptor: judge, name: "tc_to_endpoint")
        interfaces = try workloads.map(field.interfaceIndex)
    }

    /// Of the bank that packets read.
    var generation: UInt32 {
        let bank = configuration.loadAcquiring(at: 0) & 1
        return configuration.loadAcquiring(at: 4 + 4 * Int(bank))
    }

    /// Whether the program lets a first packet to a port of a workload pass; nil if it could not be run.
    func isOpen(_ port: UInt16, of workload: Int, peer: UInt32, from source: UInt16) -> Bool? {
        let tcp = PacketBytes.tcpHeader(source: source, destination: port, flags: TCPFlags.syn)
        let header = PacketBytes.ipv4Header(
            source: bytes(peer), destination: bytes(AgentField.address(workload)), protocolNumber: 6,
            payloadLength: tcp.count)
        let frame: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00] + header + tcp
        let context = PacketContext(ifindex: interfaces[workload])
        guard let result = try? program.testRun(packet: frame, context: context) else { return nil }
        return Int32(bitPattern: result.verdict) <= 0
    }

    private func bytes(_ address: UInt32) -> [UInt8] {
        stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: address >> UInt32($0)) }
    }
}
