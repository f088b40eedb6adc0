// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import KernelDatapath
import KernelPrograms
import KernelTesting
import NetworkModel
import Testing

extension DatapathKernelTests {
    /// Where the prefilter goes on a device: on real devices, with pings through them.
    @Suite struct ShieldPlaceTests {
        private static func load(_ bench: Workbench) throws -> Shield {
            var settings = ShieldSettings()
            settings.mode = .enforce
            var shield = try Shield.load(directory: bench.directory, settings: settings)
            try shield.configure(settings)
            return shield
        }

        private static func device(_ name: String, isEthernet: Bool = true) -> ShieldDevice {
            ShieldDevice(interface: unsafe if_nametoindex(name), name: name, isEthernet: isEthernet)
        }

        private static var workload: CIDR { CIDR(host: IPAddress(v4: 0x0acb_0702)) }

        @Test func `a driver that takes XDP has it, and one that does not has it in the stack`() async throws {
            try await Workbench.run { bench in
                var shield = try Self.load(bench)
                defer { _ = try? Shield.remove(directory: bench.directory) }
                let native = try shield.attach(Self.device("bhkd-w"))
                #expect(native.hook == .native && native.reason == "the driver takes XDP")
                #expect(try shield.attach(Self.device("bhkd-w")) == native, "again changes nothing")
                #expect(bench.canPing())
                try shield.block(Self.workload, for: .seconds(60), cause: "a test")
                #expect(!bench.canPing())
                try shell("ip link add bhkd-b type bridge && ip link set bhkd-b up")
                let generic = try shield.attach(Self.device("bhkd-b"))
                #expect(generic.hook == .generic && generic.reason.hasPrefix("the driver does not take XDP ("))
                #expect(try shield.attach(Self.device("bhkd-b")) == generic)
                try shield.detachAll()
                #expect(bench.canPing())
            }
        }

        @Test func `where XDP's place is taken tcx judges, until the place is free`() async throws {
            try await Workbench.run { bench in
                let object = try BPFObject(.foreign)
                try object.load()
                let index = unsafe if_nametoindex("bhkd-w")
                let foreign = try FrameLink(attaching: object.program("foreign_frames"), to: index, mode: .native)
                var shield = try Self.load(bench)
                defer { _ = try? Shield.remove(directory: bench.directory) }
                let place = try shield.attach(Self.device("bhkd-w"))
                #expect(place.hook == .tcx && place.reason == "another program has the device's place for XDP")
                try shield.block(Self.workload, for: .seconds(60))
                #expect(!bench.canPing(), "judged all the same")
                #expect(try foreign.interfaceIndex() == index, "the other program stays")
                try foreign.detach()
                #expect(try shield.attach(Self.device("bhkd-w")).hook == .native)
                #expect(!bench.canPing())
                try shell("test ! -e \(bench.directory.path)/shield/ingress-\(index)")
                #expect(try shield.tables.unblock(Self.workload))
                #expect(bench.canPing())
            }
        }

        @Test func `a device without Ethernet headers is judged by tcx`() async throws {
            try await Workbench.run { bench in
                // A tunnel in user space, 10.203.8.1 at the host's end and 10.203.8.2 at the workload's.
                let pids = "/run/\(bench.namespace).pids"
                func tunnel(_ inside: String, _ own: String, _ other: String, _ prefix: String) throws {
                    try shell(
                        "\(prefix) socat TUN:\(inside)/24,tun-name=bhkd-t,tun-type=tun,iff-no-pi,iff-up "
                            + "UDP-DATAGRAM:\(other):5555,bind=\(own):5555 >/dev/null 2>&1 & echo $! >> \(pids)")
                }
                // By force: a test's thread may hold SIGTERM back, and children inherit that.
                defer { _ = try? shell("kill -KILL $(cat \(pids)) && rm \(pids)") }
                try tunnel("10.203.8.1", Workbench.hostAddress, Workbench.workloadAddress, "")
                try tunnel(
                    "10.203.8.2", Workbench.workloadAddress, Workbench.hostAddress,
                    "exec ip netns exec \(bench.namespace)")
                func canPingInside() -> Bool {
                    (try? shell(
                        "ip netns exec \(bench.namespace) ping -c 1 -W 0.5 -n -q 10.203.8.1 >/dev/null 2>&1")) != nil
                }
                #expect((1...20).contains { _ in canPingInside() }, "the tunnel stands")
                var shield = try Self.load(bench)
                defer { _ = try? Shield.remove(directory: bench.directory) }
                let place = try shield.attach(Self.device("bhkd-t", isEthernet: false))
                #expect(place.hook == .tcx && place.reason.hasPrefix("packets begin with the IP header"))
                #expect(canPingInside())
                try shield.block(CIDR(host: IPAddress(v4: 0x0acb_0802)), for: .seconds(60))
                #expect(!canPingInside())
                #expect(bench.canPing(), "the outer addresses are others")
                let block = try #require(try shield.tables.blocks().first)
                #expect(block.count.packets > 0)
            }
        }

        @Test func `causes and ends of blocks outlive the process that made them`() async throws {
            try await Workbench.run { bench in
                defer { _ = try? Shield.remove(directory: bench.directory) }
                do {
                    var shield = try Self.load(bench)
                    let long = String(repeating: "ü", count: 100)
                    try shield.block(Self.workload, for: .seconds(60), cause: "scan of 120 ports")
                    try shield.block(CIDR(host: IPAddress(v4: 0x0acb_0703)), for: .seconds(60), cause: long)
                }
                let shield = try Self.load(bench)
                let blocks = try shield.tables.blocks()
                // 95 bytes of two each: what does not fit is left out whole.
                #expect(blocks.map(\.cause) == ["scan of 120 ports", String(repeating: "ü", count: 47)])
                #expect(blocks.allSatisfy { $0.remaining > .seconds(50) && $0.remaining <= .seconds(60) })
                #expect(blocks.allSatisfy { $0.age < .seconds(10) })
            }
        }
    }
}
