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
    let globs: BPFMap<fqdn_glob_key, fqdn_glob>
    let queries: MappedArray
    let numbers: MappedArray
    let history: MappedArray
    let names: MappedArray
    let streams: MappedArray
    private let forged: MappedArray
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
        globs = try object.map("fqdn_glob_map")
        queries = try MappedArray(object.mapDescriptor("fqdn_query_map"), name: "fqdn_query_map")
        numbers = try MappedArray(object.mapDescriptor("fqdn_number_map"), name: "fqdn_number_map")
        history = try MappedArray(object.mapDescriptor("fqdn_history_map"), name: "fqdn_history_map")
        names = try MappedArray(object.mapDescriptor("fqdn_name_map"), name: "fqdn_name_map")
        forged = try MappedArray(object.mapDescriptor("fqdn_forged_map"), name: "fqdn_forged_map")
        streams = try MappedArray(object.mapDescriptor("fqdn_stream_map"), name: "fqdn_stream_map")
        programs = try object.mapDescriptor("dns_programs_map")
    }

    /// Forgets everything; no answer is read.
    func clear() throws(BPFError) {
        try config.update(0, to: fqdn_config())
        try KernelMaps.empty(resolvers)
        try KernelMaps.empty(selectors)
        try KernelMaps.empty(globs)
        NameMaps.changeMarks(of: queries) { _ in 0 }
        NameMaps.changeMarks(of: numbers) { _ in 0 }
        NameMaps.changeMarks(of: history) { _ in 0 }
        NameMaps.changeMarks(of: names) { _ in 0 }
        NameMaps.changeMarks(of: streams) { _ in 0 }
        NameMaps.changeMarks(of: forged) { _ in 0 }
    }

    /// Lets `change` rewrite the marks of every place that holds something.
    static func changeMarks(of table: borrowing MappedArray, _ change: (UInt64) -> UInt64) {
        for bucket in stride(from: 0, to: table.byteCount, by: table.elementStride) {
            for way in 0..<Int(FQDN_WAYS) {
                let offset = bucket + way * MemoryLayout<UInt64>.stride
                let mark = table.value(at: offset, as: UInt64.self)
                if mark != 0 { table.write(change(mark), at: offset) }
            }
        }
    }

    /// How many places an endpoint holds.
    static func count(_ table: borrowing MappedArray, of endpoint: UInt16 = Fixture.endpoint) -> Int {
        var count = 0
        changeMarks(of: table) { mark in
            if UInt16(truncatingIfNeeded: mark >> 16) == endpoint { count += 1 }
            return mark
        }
        return count
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
