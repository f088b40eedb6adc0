// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import IdentityModel
import KernelDatapath
import NetworkModel
import PolicyCompiler
import Testing

extension DatapathKernelTests {
    /// What a commit maps of the tables, and that it writes both banks through it.
    @Suite struct TableWindowTests {
        private static let sizes = DatapathSizes(
            policyBuckets: 1 << 19, policyEntries: 1 << 17, ipcacheChunks: 4, conntrackEntries: 4096,
            eventBytes: 1 << 16)

        /// Entries and prefixes enough for several chunks of every table.
        private static func state(_ numbers: Range<UInt32>) -> MapState {
            var state = MapState(subjects: [3: .open, 4: .open])
            for number in numbers {
                let key = PolicyKey(
                    peer: NumericIdentity(rawValue: number + 256), subject: 3, port: UInt16(number % 999), proto: 6,
                    direction: .ingress, prefixLength: 16)
                let verdict = PolicyVerdict(precedence: number + 1, rule: 16)
                state.policy[key] = PolicyValue(enforced: verdict, all: verdict)
                state.ipcache[CIDR(IPAddress(v4: number &* 0x9e37_79b1), length: 32)] = NumericIdentity(
                    rawValue: number + 256)
            }
            return state
        }

        @Test func `both banks hold the same bytes after every commit`() async throws {
            try await Workbench.run { bench in
                let datapath = try bench.datapath(sizes: Self.sizes)
                var state = Self.state(0..<50_000)
                try datapath.replace(with: state)
                try bench.expectEqualBanks()
                for next in [Self.state(0..<50_001), Self.state(20_000..<50_001), Self.state(7..<8), .closed] {
                    try datapath.commit(state.changes(to: next))
                    state = next
                    try bench.expectEqualBanks()
                }
            }
        }

        @Test func `no table is mapped between commits`() async throws {
            try await Workbench.run { bench in
                let before = try mappedTableBytes()
                let datapath = try bench.datapath(sizes: Self.sizes)
                try datapath.replace(with: Self.state(0..<50_000))
                try datapath.commit(Self.state(0..<50_000).changes(to: Self.state(0..<50_001)))
                // The configuration is one page.
                #expect(try mappedTableBytes() - before == Int(sysconf(Int32(_SC_PAGESIZE))))
                withExtendedLifetime(datapath) {}
            }
        }
    }
}

private func readText(_ path: String) throws -> String {
    let file = unsafe open(path, O_RDONLY)
    try #require(file >= 0)
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = unsafe read(file, &chunk, chunk.count)
        if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk[..<count]
    }
}

/// Bytes of BPF maps in this process's address space.
private func mappedTableBytes() throws -> Int {
    return try readText("/proc/self/maps").split(separator: "\n").filter { $0.hasSuffix("anon_inode:bpf-map") }.reduce(
        0
    ) { sum, line in
        let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { Int($0, radix: 16) }
        return sum + (ends.count == 2 ? ends[1] - ends[0] : 0)
    }
}

extension Workbench {
    fileprivate func expectEqualBanks() throws {
        for (name, chunk) in [
            ("policy_heads_map", 1 << 20), ("policy_entries_map", 1 << 20), ("ipcache_map", 1 << 20),
            ("subject_map", 0),
        ] {
            guard let pinned = try FileDescriptor.pinned(at: "\(directory.path)/maps/\(name)") else {
                throw BPFError(errno: ENOENT, operation: "open \(name)")
            }
            let map = try MappedArray(pinned, name: name)
            let size = chunk == 0 ? map.byteCount / 2 : chunk
            for start in stride(from: 0, to: map.byteCount, by: 2 * size) {
                let first = map.bytes(in: start..<(start + size)),
                    second = map.bytes(in: (start + size)..<(start + 2 * size))
                #expect(first == second, "\(name) at \(start)")
            }
        }
    }
}
