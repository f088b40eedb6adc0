// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import Glibc
import IdentityModel
import KernelDatapath
import KernelTesting
import NetworkModel
import PolicyCompiler
import Synchronization
import Testing

extension DatapathKernelTests {
    @Suite struct DatapathTests {
        @Test(arguments: [AttachmentKind.tcx, .clsact])
        func `a workload is cut off until a state is in force, and judged by it from then on`(
            kind: AttachmentKind
        ) async throws {
            try await Workbench.run { bench in
                let datapath = try bench.datapath(attachment: kind)
                #expect(bench.canPing())
                #expect(try datapath.attach(bench.endpoint()) == kind)
                #expect(datapath.status().attachment == kind)
                #expect((datapath.status().fallbackReason == nil) == (kind == .tcx))
                #expect(!bench.canPing(), "no state yet: fail closed")
                #expect(try datapath.metrics().dropped[.configuration]?[.egress] != nil)
                let first = try datapath.replace(with: .open)
                #expect(bench.canPing())
                let second = try datapath.commit(MapState.open.changes(to: .closed))
                #expect(second.generation == first.generation + 1)
                #expect(!bench.canPing(), "the established flow is judged again")
                #expect(try datapath.ruleTraffic([20])[20]?.egress.packets == 1)
                _ = try datapath.commit(MapState.closed.changes(to: .open))
                #expect(bench.canPing())
                #expect(try datapath.detach(interface: bench.endpoint().interface))
                #expect(try !datapath.detach(interface: bench.endpoint().interface))
                try shell("! tc qdisc show dev bhkd-w | grep -q clsact")
                #expect(bench.canPing())
            }
        }

        @Test func `changes before the first complete state are refused`() async throws {
            try await Workbench.run { bench in
                let datapath = try bench.datapath()
                #expect(throws: DatapathError.self) { try datapath.commit(MapChanges()) }
            }
        }

        @Test func `a state that does not fit leaves the old one in force`() async throws {
            try await Workbench.run { bench in
                let datapath = try bench.datapath()
                try datapath.attach(bench.endpoint())
                let before = try datapath.replace(with: .open)
                var tooMuch = MapState.closed
                for number in 0..<(datapath.status().policyEntryCapacity + 1) {
                    let key = PolicyKey(
                        peer: NumericIdentity(rawValue: UInt32(256 + number)), subject: 3, port: 0, proto: 6,
                        direction: .egress, prefixLength: 0)
                    tooMuch.policy[key] = PolicyValue(enforced: PolicyVerdict(), all: PolicyVerdict())
                }
                #expect(throws: DatapathError.self) { try datapath.commit(MapState.open.changes(to: tooMuch)) }
                #expect(datapath.status().generation == before.generation)
                #expect(bench.canPing())
            }
        }

        @Test func `flows are listed with their endpoint's view and swept with it`() async throws {
            try await Workbench.run { bench in
                let datapath = try bench.datapath()
                try datapath.attach(bench.endpoint())
                try datapath.replace(with: .open)
                #expect(bench.canPing())
                let flow = try #require(try datapath.conntrackFlows(of: 1).first { $0.proto == .icmp })
                #expect(flow.local == IPAddress(v4: 0x0acb_0702))
                #expect(flow.remote == IPAddress(v4: 0x0acb_0701))
                #expect(flow.direction == .egress && flow.state == .icmp && flow.localPort == 8 << 8 | 1)
                #expect(flow.sent.packets == 1 && flow.received.packets == 1)
                #expect(flow.idle < .seconds(5) && flow.age < .seconds(5))
                #expect(try datapath.conntrackCount() == datapath.conntrackFlows(of: nil).count)
                #expect(try datapath.conntrackCount() >= 1)
                #expect(try datapath.conntrackFlows(of: 2).isEmpty)
                #expect(try datapath.sweepConntrack().expired == 0)
                try datapath.detach(interface: bench.endpoint().interface)
                #expect(try datapath.sweepConntrack().orphaned >= 1)
                #expect(try datapath.conntrackFlows(of: nil).isEmpty)
            }
        }

        @Test func `an expired flow is swept`() async throws {
            try await Workbench.run { bench in
                var settings = DatapathSettings()
                settings.timeouts.icmp = .milliseconds(50)
                let datapath = try Datapath(directory: bench.directory, sizes: .small, settings: settings)
                try datapath.attach(bench.endpoint())
                try datapath.replace(with: .open)
                #expect(bench.canPing())
                var report = SweepReport()
                let deadline = ContinuousClock.now + .seconds(5)
                while report.expired == 0, ContinuousClock.now < deadline { report = try datapath.sweepConntrack() }
                #expect(report.visited >= 1 && report.expired >= 1)
            }
        }

        @Test func `events arrive decoded with the generation that judged them`() async throws {
            try await Workbench.run { bench in
                let datapath = try bench.datapath()
                try datapath.attach(bench.endpoint())
                let report = try datapath.replace(with: .closed)
                let flows = Mutex<[FlowEvent]>([])
                let reader = try datapath.readEvents { batch in
                    #expect(batch.malformed == 0)
                    flows.withLock { $0 += batch.flows }
                }
                #expect(!bench.canPing())
                let deadline = ContinuousClock.now + .seconds(5)
                while flows.withLock({ $0.isEmpty }), ContinuousClock.now < deadline { sched_yield() }
                reader.stop()
                let event = try #require(flows.withLock { $0.first { $0.ipProtocol == .icmp } })
                #expect(event.verdict == .deny && event.reason == .policyDefaultDeny && event.rule == 20)
                #expect(event.generation == report.generation)
                #expect(event.interfaceIndex == bench.endpoint().interface)
            }
        }

        @Test func `failsafe ports are replaced as a set`() async throws {
            try await Workbench.run { bench in
                let datapath = try bench.datapath()
                let ssh = FailsafePort(port: 22, proto: .tcp, direction: .ingress)
                let dns = FailsafePort(port: 53, proto: .udp, direction: .egress)
                try datapath.setFailsafes([ssh, dns])
                try datapath.setFailsafes([dns])
                let path = "\(bench.directory.path)/maps/failsafe_map"
                guard let pinned = try FileDescriptor.pinned(at: path) else {
                    throw BPFError(errno: ENOENT, operation: "open \(path)")
                }
                var found: [[Int]] = []
                try BPFMap<failsafe_key, UInt32>(descriptor: pinned, name: path).forEach { key, _ in
                    found.append([Int(UInt16(bigEndian: key.port)), Int(key.protocol), Int(key.direction)])
                }
                #expect(found == [[53, 17, 0]])
            }
        }
    }
}
