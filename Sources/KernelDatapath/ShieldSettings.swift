// SPDX-License-Identifier: Apache-2.0

import CDatapathABI

/// What the prefilter does with what it finds.
package enum ShieldMode: String, Hashable, Sendable, CaseIterable {
    /// Not there.
    case off
    /// Counts what it would drop, and passes it.
    case monitor
    case enforce
}

/// A token bucket: so much a second, and so much at once.
package struct ShieldLimit: Hashable, Sendable {
    /// Whose packets are counted together.
    package enum Scope: String, Hashable, Sendable, CaseIterable {
        case source
        /// The source's /24 or /64.
        case network
        case destination

        var index: Int {
            switch self {
            case .source: Int(LIMIT_SOURCE)
            case .network: Int(LIMIT_NET)
            case .destination: Int(LIMIT_DESTINATION)
            }
        }
    }

    /// What is counted.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case packets
        case bytes
        case connections
        case fragments
        case icmp

        var index: Int {
            switch self {
            case .packets: Int(LIMIT_PACKETS)
            case .bytes: Int(LIMIT_BYTES)
            case .connections: Int(LIMIT_CONNECTIONS)
            case .fragments: Int(LIMIT_FRAGMENTS)
            case .icmp: Int(LIMIT_ICMP)
            }
        }
    }

    package struct Place: Hashable, Sendable {
        package var scope: Scope
        package var kind: Kind

        package init(_ scope: Scope, _ kind: Kind) {
            self.scope = scope
            self.kind = kind
        }

        /// Among the kernel's limits.
        var kernelIndex: Int { scope.index * Int(LIMIT_KIND_COUNT) + kind.index }
    }

    /// Units a second, 1 to 10^11.
    package var rate: Int
    /// Units at once.
    package var burst: Int

    /// Without a burst: what comes in a second, and never less than the kernel's clock and one packet need.
    package init(rate: Int, burst: Int? = nil) {
        self.rate = rate
        self.burst = burst ?? rate
    }

    /// As the kernel has it.
    ///
    /// Its clock moves on in steps of up to 10 ms, and a packet has up to 64 KiB.
    func kernelLimit(_ kind: Kind) -> prefilter_limit {
        let perUnit = 1_000_000_000.0 / Double(rate)
        let units = Double(max(burst, kind == .bytes ? 65_536 : 1))
        return prefilter_limit(
            cost: max(1, UInt64(perUnit * 65_536)),
            burst: UInt64(max(units * perUnit, 20_000_000)) &+ UInt64(perUnit / 2))
    }
}

/// What an operator may choose about the prefilter.
package struct ShieldSettings: Hashable, Sendable {
    package var mode = ShieldMode.off
    /// Drop what no correct stack sends.
    package var checksHeaders = true
    /// Drop sources that no wire carries.
    package var checksSources = true
    /// UDP source ports whose unasked answers are dropped; empty: none.
    package var reflectorPorts = ShieldSettings.knownReflectors
    /// UDP ports of this host that take packets from such ports.
    package var servedPorts: Set<UInt16> = []
    /// TCP ports that no feed and no block closes.
    package var failsafePorts: Set<UInt16> = [22]
    /// How long an answer to a question may take.
    package var answerTime: Duration = .seconds(30)
    package var limits: [ShieldLimit.Place: ShieldLimit] = [:]
    /// Of what goes to `ShieldTables.setFlooded`; where `limits` speak of the same, they go first.
    package var floodedLimits: [ShieldLimit.Place: ShieldLimit] = [:]
    /// Sources, networks and destinations that may be over nothing at the same time, of each so many; a power of two.
    package var limitEntries = 16_384
    /// Blocks at the same time.
    package var blockCapacity = 65_536
    /// Sensors for detectors.
    package var senses = false

    package init() {}

    /// CISA alert TA14-017A and what was abused since: chargen, QOTD, DNS, TFTP, portmap, NTP, NetBIOS, SNMP, CLDAP, RIP,
    /// IPMI, MS SQL, L2TP, SSDP, WS-Discovery, Apple remote management, CoAP, mDNS, Quake, Steam, Kad, Ubiquiti, memcached,
    /// Jenkins, DVR DHCPDiscover.
    package static let knownReflectors: Set<UInt16> = [
        17, 19, 53, 69, 111, 123, 137, 161, 389, 520, 623, 1434, 1701, 1900, 3283, 3702, 5353, 5683, 10001, 11211,
        27015,
        27960, 33848, 37810,
    ]

    func kernelConfig(hasReflectorFilter: Bool, hasFeeds: Bool, hasBlocks: Bool, hasBlockedNetworks: Bool)
        -> prefilter_config
    {
        var flags = 0
        if mode == .enforce { flags |= Int(PREFILTER_ENFORCE) }
        if checksHeaders { flags |= Int(PREFILTER_MALFORMED) }
        if checksSources { flags |= Int(PREFILTER_MARTIANS) }
        if hasReflectorFilter, !reflectorPorts.isEmpty { flags |= Int(PREFILTER_REFLECTORS) }
        if hasFeeds { flags |= Int(PREFILTER_FEEDS) }
        if hasBlocks { flags |= Int(PREFILTER_BLOCKS) }
        if hasBlockedNetworks { flags |= Int(PREFILTER_BLOCKED_NETS) }
        if !failsafePorts.isEmpty { flags |= Int(PREFILTER_FAILSAFES) }
        var config = prefilter_config()
        config.flags = UInt32(flags)
        config.set_mask = UInt32(limitEntries / Int(LIMIT_WAYS) - 1)
        let nanoseconds = answerTime.components.seconds * 1_000_000_000
        config.asked_ticks = UInt32(clamping: max(2, nanoseconds >> ASKED_TICK_SHIFT))
        unsafe withUnsafeMutableBytes(of: &config.limits) { bytes in
            for (place, limit) in limits.merging(floodedLimits, uniquingKeysWith: { own, _ in own }) {
                let index = place.kernelIndex
                unsafe bytes.storeBytes(
                    of: limit.kernelLimit(place.kind), toByteOffset: index * MemoryLayout<prefilter_limit>.stride,
                    as: prefilter_limit.self)
            }
        }
        for place in Set(limits.keys).union(floodedLimits.keys) {
            config.limited_scopes |= 1 << UInt16(place.scope.index)
            if limits[place] == nil { config.flooded_only |= 1 << UInt16(place.kernelIndex) }
        }
        return config
    }
}
