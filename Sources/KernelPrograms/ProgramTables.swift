// SPDX-License-Identifier: Apache-2.0

extension KernelProgram {
    /// Tables of programs that others of the same object hand packets to, filled when it is loaded.
    ///
    /// By the table's name, in the order of its numbers in `bpf/programs/NAME.bpf.c`. Said here and not there: libbpf
    /// could fill a table only where one object has loaded all of its programs, and objects load a share each.
    package var programTables: [String: [String]] {
        guard "\(name)" == "endpoint" else { return [:] }
        return [
            "dns_programs_map": ["tc_dns_query", "tc_dns_answer"],
            "host_programs_map": [
                "tc_forwarded_in", "tc_forwarded_out", "tc_to_network_rest", "tc_from_network_rest", "tc_untracked_in",
                "tc_untracked_out",
            ],
        ]
    }
}
