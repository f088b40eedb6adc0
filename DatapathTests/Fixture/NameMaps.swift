// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import NetworkModel
import TableEncoding

/// The maps of names and the addresses learnt for them.
final class NameMaps: Sendable {
    let config: BPFMap<UInt32, fqdn_config>
    let resolvers: BPFMap<ip_address, UInt32>
    let selectors: BPFMap<fqdn_selector_key, fqdn_selector>
    let queries: BPFMap<fqdn_query_key, fqdn_query>
    let answers: BPFMap<fqdn_answer_key, fqdn_answer>
    let addresses: BPFMap<fqdn_address_key, fqdn_address>
    private let ring: BPFMap<fqdn_ring_key, fqdn_ring_entry>
    /// The kernel empties a table of programs that no process holds.
    private let programs: FileDescriptor

    /// The programs that read packets of port 53, by name.
    let readers: [String: @Sendable ([UInt8]) throws -> UInt32]

    init(_ object: borrowing BPFObject) throws(BPFError) {
        let (query, answer) = (try Reader(object, "tc_dns_query"), try Reader(object, "tc_dns_answer"))
        readers = ["tc_dns_query": query.run, "tc_dns_answer": answer.run]
        config = try object.map("fqdn_config_map")
        resolvers = try object.map("fqdn_resolver_map")
        selectors = try object.map("fqdn_selector_map")
        queries = try object.map("fqdn_query_map")
        answers = try object.map("fqdn_answer_map")
        addresses = try object.map("fqdn_address_map")
        ring = try object.map("fqdn_ring_map")
        programs = try object.mapDescriptor("dns_programs_map")
    }

    /// Forgets everything; no answer is read.
    func clear() throws(BPFError) {
        try config.update(0, to: fqdn_config())
        try KernelMaps.empty(resolvers)
        try KernelMaps.empty(selectors)
        try KernelMaps.empty(queries)
        try KernelMaps.empty(answers)
        try KernelMaps.empty(addresses)
        try KernelMaps.empty(ring)
    }
}

/// A program that is reached by a tail call, run by itself.
private final class Reader: Sendable {
    private let program: BPFProgram

    init(_ object: borrowing BPFObject, _ name: String) throws(BPFError) { program = try object.program(name) }

    @Sendable func run(_ bytes: [UInt8]) throws -> UInt32 {
        try program.testRun(packet: bytes, context: PacketContext(ifindex: 1)).verdict
    }
}
