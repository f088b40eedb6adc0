// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CBenchSupport
import CDatapathABI
import FeedReading
import Glibc
import KernelDatapath
import KernelPrograms
import NetworkModel
import PrefixTables

/// What a million listed prefixes add to a packet's whole path, beside nftables and ipset; and what a dropped frame costs.
enum ShieldPath: Benchmark {
    static let name = "shield-path"
    static let summary = "a million prefixes on the path of real packets, against ipset and nft; a dropped frame"

    private static let prefixCount = 1_000_000
    private static let packetsPerChunk = 1 << 18

    static func run(_ effort: Effort) throws -> [Row] {
        var generator = FeedGenerator(seed: 43)
        let prefixes = (0..<prefixCount).map { _ in generator.prefix(.blocklist, isIPv4: true) }
        let table = FeedTable([.init(number: 1, prefixes: prefixes)], firstAllowing: UInt8(FEED_ALLOW_FIRST))
        let field = try PathField(table)
        var rows: [Row] = []
        for isListed in [false, true] {
            field.setSources(
                (0..<Int(GENERATOR_SOURCES)).map { _ in
                    isListed
                        ? generator.address(in: prefixes[generator.below(prefixCount)]).v4Bits
                        : UInt32(truncatingIfNeeded: generator.next())
                })
            var againstIPSet = PairedSamples(), againstNFT = PairedSamples()
            for round in 1...effort.rounds {
                let ours = try field.ours(), ipset = try field.ipset(), nft = try field.nft()
                againstIPSet.add(ours: ours, peer: ipset)
                againstNFT.add(ours: ours, peer: nft)
                let text = [ours, ipset, nft].map(ResultTable.number).joined(separator: " / ")
                report(
                    "  shield-path, \(isListed ? "listed" : "random"), round \(round): +ns ours / ipset / nft = \(text)"
                )
            }
            let title = "\(isListed ? "listed" : "random") source, feed of 1 M"
            rows += [
                Row(title, unit: "+ns/packet", samples: againstIPSet, peerName: "ipset hash:net", bound: 0.35),
                Row(title, unit: "+ns/packet", samples: againstNFT, peerName: "nft interval set", bound: 0.1),
            ]
        }
        return try rows + [droppedFrame(field, effort)]
    }

    /// The same frame from a listed source, over and over: what the judgement costs, not the memory behind it.
    private static func droppedFrame(_ field: PathField, _ effort: Effort) throws -> Row {
        var samples = PairedSamples()
        for _ in 0..<effort.rounds {
            let (ours, bare) = try field.droppedFrame()
            samples.add(ours: ours, peer: bare)
        }
        return Row("dropped frame, native XDP", unit: "ns", samples: samples, peerName: "bare XDP_DROP", bound: 1.15)
    }

    /// The topology with everybody's list of the same prefixes.
    ///
    /// Which list a packet meets is in its destination port: so nothing is loaded between measurements, and the path without a
    /// lookup is the same but for the port.
    private final class PathField {
        private let topology: Topology
        private let generator: PacketGenerator
        private let clientEnd: UInt32
        private let withFeeds: PrefilterObject
        private let withoutFeeds: PrefilterObject
        private let bareDrop: FrameProgram
        private let setName = "bulkhead-bench"

        private static let nftPort: UInt16 = 9001, ipsetPort: UInt16 = 9002, plainPort: UInt16 = 9003

        init(_ table: FeedTable) throws {
            topology = try Topology()
            generator = try PacketGenerator()
            clientEnd = try Topology.interfaceIndex("c0", in: topology.client)
            let prefixes = table.ipv4
            withFeeds = try PrefilterObject(table)
            withoutFeeds = try PrefilterObject(nil)
            let reference = try BPFObject(.reference)
            try reference.load()
            bareDrop = FrameProgram(try reference.program("drop_frame"))
            let text = prefixes.map { RuleSet.text(UInt32($0.high >> 32)) + "/\($0.length)" }
            try topology.inRouter(
                ["nft", "-f", "-"],
                input: """
                    table ip bench {
                        set feed {
                            type ipv4_addr; flags interval
                            elements = { \(text.joined(separator: ",\n")) }
                        }
                        chain early {
                            type filter hook prerouting priority -280; policy drop;
                            udp dport \(Self.nftPort) ip saddr @feed counter
                        }
                    }

                    """)
            try topology.inRouter(
                ["ipset", "restore"],
                input: "create \(setName) hash:net maxelem 2000000 hashsize 524288\n"
                    + text.map { "add \(setName) \($0)\n" }.joined())
            try topology.inRouter([
                "iptables-legacy", "-t", "raw", "-A", "PREROUTING", "-p", "udp", "--dport", "\(Self.ipsetPort)", "-m",
                "set", "--match-set", setName, "src",
            ])
        }

        func setSources(_ addresses: [UInt32]) { generator.setSources(addresses) }

        func nft() throws -> Double { try added(port: Self.nftPort) }

        func ipset() throws -> Double { try added(port: Self.ipsetPort) }

        /// Up the stack as a driver hands it on; dropped behind both tables' lookups.
        private func added(port: UInt16) throws -> Double {
            try BenchThread.run(in: .named(topology.router)) { [self] in
                func cost(_ port: UInt16) throws -> Double {
                    try generator.pathCost(
                        .toServer(port: port), from: topology.clientLink, hasSources: true, count: packetsPerChunk,
                        chunks: 3)
                }
                var plain = Double.infinity, looked = Double.infinity
                for _ in 0..<2 {
                    plain = min(plain, try cost(Self.plainPort))
                    looked = min(looked, try cost(port))
                }
                return looked - plain
            }
        }

        /// Through the driver of the veth, where the prefilter counts and passes, and up the same way.
        func ours() throws -> Double {
            var plain = Double.infinity, looked = Double.infinity
            for _ in 0..<2 {
                plain = min(plain, try driverCost(withoutFeeds.frames, hasSources: true))
                looked = min(looked, try driverCost(withFeeds.frames, hasSources: true))
            }
            return looked - plain
        }

        func droppedFrame() throws -> (ours: Double, bare: Double) {
            try withFeeds.setMode(.enforce)
            defer { try? withFeeds.setMode(.monitor) }
            // One listed source.
            generator.setSources([withFeeds.listed])
            var ours = Double.infinity, bare = Double.infinity
            // In turn, and as often: else the one that is tried more often looks cheaper on a busy machine.
            for _ in 0..<3 {
                bare = min(bare, try driverCost(bareDrop, hasSources: true))
                ours = min(ours, try driverCost(withFeeds.frames, hasSources: true))
            }
            return (ours, bare)
        }

        private func driverCost(_ frames: FrameProgram, hasSources: Bool) throws -> Double {
            let interface = topology.clientLink
            // Devices are looked for in the thread's namespace.
            let holder = try BenchThread.run(in: .named(topology.router)) {
                LinkHolder(try FrameLink(attaching: frames.program, to: interface, mode: .native))
            }
            let cost = try BenchThread.run(in: .named(topology.client)) { [self] in
                try generator.pathCost(
                    .toServer(port: Self.plainPort), from: clientEnd, redirect: clientEnd, hasSources: hasSources,
                    count: packetsPerChunk, chunks: 3)
            }
            try holder.link.detach()
            return cost
        }
    }

    private final class LinkHolder {
        let link: FrameLink

        init(_ link: consuming FrameLink) { self.link = link }
    }

    /// An XDP program.
    private final class FrameProgram {
        let program: BPFProgram

        init(_ program: consuming BPFProgram) { self.program = program }
    }

    /// The prefilter with tables of its own.
    private final class PrefilterObject {
        let frames: FrameProgram
        private var tables: ShieldTables
        /// A listed address.
        let listed: UInt32

        /// Counts and passes; nil: has no feeds.
        init(_ table: FeedTable?) throws {
            let object = try BPFObject(.prefilter)
            try object.load()
            frames = FrameProgram(try object.program("xdp_prefilter"))
            tables = try ShieldTables(object)
            var prefixes = table?.ipv4 ?? []
            listed = UInt32((prefixes.first?.high ?? 0) >> 32)
            try tables.replaceFeeds(isIPv4: true, &prefixes)
            try setMode(.monitor)
        }

        func setMode(_ mode: ShieldMode) throws {
            var settings = ShieldSettings()
            settings.mode = mode
            // Random sources are what is measured.
            settings.checksSources = false
            settings.failsafePorts = []
            try tables.configure(settings, hasReflectorFilter: false)
        }
    }
}
