// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import IdentityModel
import KernelDatapath
import KernelPrograms
import KernelTesting
import NetworkModel
import PolicyCompiler
import Testing

extension DatapathKernelTests {
    @Suite struct AttachmentTests {
        @Test func `another tool's tcx program neither hides packets from ours nor is removed`() async throws {
            try await Workbench.run { bench in
                let object = try BPFObject(.foreign)
                try object.load()
                let foreign = try object.program("foreign_accept")
                let index = bench.endpoint().interface
                let before = try TrafficLink(attaching: foreign, to: index, at: .ingress)
                let datapath = try bench.datapath()
                try datapath.attach(bench.endpoint())
                try datapath.replace(with: .closed)
                #expect(!bench.canPing(), "ours is asked first")
                try datapath.detach(interface: index)
                #expect(bench.canPing())
                #expect(try before.interfaceIndex() == index)
            }
        }

        @Test func `another tool's filter neither hides packets from ours nor is removed`() async throws {
            try await Workbench.run { bench in
                let object = try BPFObject(.foreign)
                try object.load()
                let pin = "\(bench.root)-foreign"
                try object.program("foreign_accept").descriptor.pin(at: pin)
                defer { _ = try? unpin(pin) }
                try shell("tc qdisc add dev bhkd-w clsact")
                try shell("tc filter add dev bhkd-w ingress prio 1 handle 1 bpf da pinned \(pin)")
                let datapath = try bench.datapath(attachment: .clsact)
                try datapath.attach(bench.endpoint())
                try datapath.replace(with: .closed)
                #expect(!bench.canPing(), "ours is asked first")
                try datapath.detach(interface: bench.endpoint().interface)
                #expect(bench.canPing())
                try shell("tc filter show dev bhkd-w ingress | grep -q foreign_accept")
            }
        }

        @Test func `a workload whose addresses find no room is closed, and open when there is room`() async throws {
            try await Workbench.run { bench in
                let datapath = try bench.datapath()
                try datapath.replace(with: MapState())
                var crowded = bench.endpoint()
                crowded.addresses = Set((0...65_536).map { IPAddress(v4: 0x0a00_0000 + $0) })
                let error = #expect(throws: DatapathError.self) { try datapath.attach(crowded) }
                #expect(error?.description.contains("too many") == true)
                #expect(!bench.canPing())
                #expect(datapath.endpoints().map(\.addresses) == [[]])
                try datapath.attach(bench.endpoint())
                #expect(bench.canPing())
            }
        }

        @Test func `other tools' programs before, after and below ours go on running, and so does ours`() async throws {
            try await Workbench.run { bench in
                // Attached before ours came and therefore asked after it; attached later and asked first; a filter.
                let after = try ForeignCounter()
                let before = try ForeignCounter()
                let filter = try ForeignCounter()
                let index = bench.endpoint().interface
                let afterLink = try TrafficLink(attaching: after.program, to: index, at: .ingress)
                let pin = "\(bench.root)-foreign"
                try filter.program.descriptor.pin(at: pin)
                defer { _ = try? unpin(pin) }
                try shell("tc qdisc add dev bhkd-w clsact")
                try shell("tc filter add dev bhkd-w ingress prio 1 handle 1 bpf da pinned \(pin)")
                let datapath = try bench.datapath(attachment: .tcx)
                try datapath.attach(bench.endpoint())
                let beforeLink = try TrafficLink(attaching: before.program, to: index, at: .ingress)

                try datapath.replace(with: .open)
                #expect(bench.canPing())
                let seen = [try before.count(), try after.count(), try filter.count()]
                #expect(seen.allSatisfy { $0 > 0 }, "\(seen)")
                try datapath.commit(MapState.open.changes(to: .closed))
                #expect(!bench.canPing(), "ours still runs")
                // Neighbour discovery, which passes ours, may come in between.
                let grown = [try before.count() - seen[0], try after.count() - seen[1], try filter.count() - seen[2]]
                #expect(grown[0] > grown[1] && grown[1] == grown[2], "what ours drops ends there: \(grown)")
                try datapath.detach(interface: index)
                #expect(bench.canPing())
                #expect(try after.count() > seen[1] && filter.count() > seen[2])
                #expect(try afterLink.interfaceIndex() == index && beforeLink.interfaceIndex() == index)
            }
        }

        @Test(arguments: [AttachmentKind.tcx, .clsact])
        func `an interface that is gone is refused and leaves no record`(kind: AttachmentKind) async throws {
            try await Workbench.run { bench in
                let endpoint = bench.endpoint()
                try shell("ip link del bhkd-w")
                do {
                    let datapath = try bench.datapath(attachment: kind)
                    #expect(throws: DatapathError.self) { try datapath.attach(endpoint) }
                    #expect(datapath.endpoints().isEmpty)
                }
                let datapath = try bench.datapath(attachment: kind)
                #expect(datapath.endpoints().isEmpty && datapath.status().notes.isEmpty)
            }
        }

        @Test func `more addresses than the table holds are refused, and what was there stays`() async throws {
            try await Workbench.run { bench in
                let datapath = try bench.datapath()
                try datapath.attach(bench.endpoint())
                try datapath.replace(with: .open)
                var tooMany = bench.endpoint()
                for number in 0..<70_000 as Range<UInt32> {
                    tooMany.addresses.insert(IPAddress(v4: 0x0b00_0000 + number))
                }
                #expect(throws: DatapathError.self) { try datapath.attach(tooMany) }
                #expect(datapath.endpoints() == [bench.endpoint()])
                #expect(bench.canPing(), "its own address is still its own")
                var more = bench.endpoint()
                more.addresses.insert(IPAddress(v4: 0x0b00_0001))
                try datapath.attach(more)
            }
        }

        @Test func `a directory that is not on a BPF file system is refused with a remedy`() async throws {
            try await Workbench.run { bench in
                let root = "/tmp/bulkhead-test-\(bench.namespace)"
                defer { _ = try? shell("rm -r \(root)") }
                do throws(DatapathError) {
                    _ = try Datapath(directory: PinDirectory(root: root), sizes: .small)
                    Issue.record("pinned outside a BPF file system")
                } catch {
                    #expect(
                        error.description.contains("not on a BPF file system; choose a directory below"), "\(error)")
                }
            }
        }

        @Test func `a read-only BPF file system is refused by name`() async throws {
            try await Workbench.run { bench in
                let root = "/tmp/bulkhead-test-\(bench.namespace)"
                try shell("mkdir \(root) && mount -t bpf -o ro bpf \(root)")
                defer { _ = try? shell("umount \(root); rmdir \(root)") }
                do throws(DatapathError) {
                    _ = try Datapath(directory: PinDirectory(root: root), sizes: .small)
                    Issue.record("pinned on a read-only file system")
                } catch {
                    #expect(error.description.contains("read-only file system"), "\(error)")
                }
            }
        }

        @Test func `five hundred endpoints are taken over quickly`() async throws {
            try await Workbench.run { bench in
                let count = 500
                var batch = ""
                for number in 0..<count { batch += "link add bhkm\(number) type veth peer name bhkn\(number)\n" }
                try shell("printf '\(batch)' | ip -batch -")
                do {
                    let datapath = try bench.datapath()
                    for number in 0..<count {
                        try datapath.attach(
                            DatapathEndpoint(
                                interface: unsafe if_nametoindex("bhkm\(number)"), number: UInt16(number + 10),
                                subject: 3,
                                identity: NumericIdentity(rawValue: 300),
                                addresses: [IPAddress(v4: 0x0b00_0000 + UInt32(number))]))
                    }
                    try datapath.replace(with: .open)
                }
                let start = ContinuousClock.now
                let datapath = try bench.datapath()
                let elapsed = ContinuousClock.now - start
                #expect(datapath.endpoints().count == count)
                #expect(elapsed < .seconds(5))
            }
        }
    }
}

/// Another tool's program that counts packets and hands them on.
private struct ForeignCounter: ~Copyable {
    let program: BPFProgram
    private let counts: BPFMap<UInt32, UInt64>

    init() throws {
        let object = try BPFObject(.foreign)
        try object.load()
        let program = try object.program("foreign_count")
        let counts: BPFMap<UInt32, UInt64> = try object.map("foreign_count_map")
        self.program = program
        self.counts = counts
    }

    func count() throws -> UInt64 { try counts.value(for: 0) ?? 0 }
}
