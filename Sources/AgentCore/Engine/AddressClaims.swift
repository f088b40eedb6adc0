// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import NetworkModel

/// Decides which addresses are whose.
///
/// A workload that is root in its namespace can give itself any address; its identity would go with it. So an address
/// is granted to one workload only, and what nobody but the workload vouches for only where the host would look for it:
///
/// 1. Never: loopback, multicast, unspecified and broadcast addresses, and what is the host's own.
/// 2. What the container engine or the workloads file declares goes before what was read inside.
/// 3. Read inside, an address must be one that the host reaches through the workload's link, or the bridge that is in.
///    If the host has no part in that link's addresses (a bridge that only passes frames on), any address will do that
///    does not belong to another workload's network.
/// 4. Who has an address keeps it until it gives it up. If two that have it not claim it at once, neither gets it.
///
/// Pure; the host's network and what was before are given.
struct AddressClaims {
    /// Nil: not known.
    let network: HostNetwork?
    /// What each workload had, by key.
    let previous: [String: Workload]

    /// More than these found inside one workload are not granted: kernel tables are shared by all.
    static let readAddressesMax = 256
    /// So many refusals are told of one workload.
    private static let refusalsToldMax = 3

    /// The workloads with the addresses that they are granted; each refusal is a concern of its workload.
    func grant(to workloads: [String: Workload]) -> [String: Workload] {
        // By place in this list: hundreds of workloads are gone through for each one that changed.
        let others = workloads.values.filter { !$0.isHost }.sorted { $0.key < $1.key }
        let ways = others.map { $0.interfaces.map { way(to: $0) } }
        let used = Set(ways.joined().joined())
        var refusals: [Int: [String]] = [:]
        var claims: [(address: IPAddress, place: Int)] = []
        claims.reserveCapacity(others.count * 2)
        for (place, workload) in others.enumerated() {
            let judge = PathJudge(network: network, ways: ways[place], used: used)
            var refused: [String] = []
            for address in acceptable(workload, judge, &refused) { claims.append((address, place)) }
            if !refused.isEmpty { refusals[place] = refused }
        }
        claims.sort { ($0.address, $0.place) < ($1.address, $1.place) }
        var owned = [[IPAddress]](repeating: [], count: others.count)
        var contested: [Int: [String]] = [:]
        var rest = claims[...]
        while let address = rest.first?.address {
            let claimants = rest.prefix { $0.address == address }.map(\.place)
            rest = rest.dropFirst(claimants.count)
            let owner = owner(of: address, claimants.map { others[$0] }).map { claimants[$0] }
            for place in claimants where place != owner {
                let rival = owner ?? claimants.first { $0 != place } ?? place
                contested[place, default: []].append(
                    owner == nil
                        ? "\(address): \(others[rival].name) claims it at the same time, so neither has it"
                        : "\(address): it is \(others[rival].name)'s")
            }
            if let owner { owned[owner].append(address) }
        }
        // What is as it was reported is left alone: mostly that is all of it.
        var granted = workloads
        for (place, workload) in others.enumerated() {
            let own = owned[place]
            if own.count != workload.addresses.count || !own.allSatisfy(workload.addresses.contains) {
                granted[workload.key]?.addresses = Set(own)
            }
            if !workload.readAddresses.isEmpty, !workload.readAddresses.isSubset(of: own) {
                granted[workload.key]?.readAddresses.formIntersection(own)
            }
            // First what belongs to another workload.
            if let concern = Self.concern((contested[place] ?? []) + (refusals[place] ?? [])) {
                granted[workload.key]?.concerns.append(concern)
            }
        }
        return granted
    }

    private static func concern(_ refusals: [String]) -> String? {
        guard !refusals.isEmpty else { return nil }
        let told = refusals.prefix(refusalsToldMax).joined(separator: "; ")
        let more = refusals.count - refusalsToldMax
        return "refused address \(told)" + (more > 0 ? "; and \(more) more" : "")
    }

    private func way(to interface: Workload.Interface) -> Set<Int32> {
        let index = Int32(bitPattern: interface.index)
        return network?.ways(to: index) ?? [index]
    }

    /// Addresses to which only another workload's claim can be in the way.
    private func acceptable(_ workload: Workload, _ judge: PathJudge, _ refusals: inout [String]) -> [IPAddress] {
        let old = workload.readAddresses.isEmpty ? [] : previous[workload.key]?.addresses ?? []
        // What it had before comes first, so that a flood of new addresses does not cost it its own.
        let read = workload.readAddresses.sorted {
            (old.contains($0) ? 0 : 1, $0) < (old.contains($1) ? 0 : 1, $1)
        }
        var accepted: [IPAddress] = []
        for address in workload.addresses.subtracting(workload.readAddresses).sorted() {
            if let reason = Self.unfit(address) ?? hosts(address) {
                refusals.append("\(address): \(reason)")
            } else {
                accepted.append(address)
            }
        }
        guard !read.isEmpty else { return accepted }
        var direct = Set(accepted)
        var behind: [IPAddress] = []
        for address in read.prefix(Self.readAddressesMax) {
            if let reason = Self.unfit(address) ?? hosts(address) ?? judge.gateway(address) {
                refusals.append("\(address): \(reason)")
            } else if judge.isDirect(address) {
                accepted.append(address)
                direct.insert(address)
            } else {
                behind.append(address)
            }
        }
        for address in behind {
            if judge.isBehind(address, direct) {
                accepted.append(address)
            } else {
                refusals.append("\(address): \(judge.elsewhere)")
            }
        }
        if read.count > Self.readAddressesMax {
            refusals.append(
                "and \(read.count - Self.readAddressesMax) others: at most \(Self.readAddressesMax) are taken")
        }
        return accepted
    }

    /// Which of those who claim an address has it; nil: none.
    private func owner(of address: IPAddress, _ claimants: [Workload]) -> Int? {
        guard claimants.count > 1 else { return claimants.indices.first }
        let declaring = claimants.indices.filter { !claimants[$0].readAddresses.contains(address) }
        let first = declaring.isEmpty ? Array(claimants.indices) : declaring
        // Whoever had it may have had it read or declared: what counts is that it was granted.
        if let holder = first.first(where: { previous[claimants[$0].key]?.addresses.contains(address) == true }) {
            return holder
        }
        return declaring.first
    }

    /// Why no workload can have the address.
    static func unfit(_ address: IPAddress) -> String? {
        if address.isIPv4 {
            switch address.v4Bits >> 24 {
            case 0: return "no workload's address"
            case 127: return "a loopback address"
            case 224...239: return "a multicast address"
            case 255 where address.v4Bits == .max: return "the broadcast address"
            default: return nil
            }
        }
        if address.high == 0 && address.low <= 1 { return address.low == 0 ? "no address" : "a loopback address" }
        return address.high >> 56 == 0xff ? "a multicast address" : nil
    }

    private func hosts(_ address: IPAddress) -> String? {
        network?.isOwn(address) == true ? "it is the host's own" : nil
    }
}

/// Tells whether the host looks for an address behind a workload's links.
struct PathJudge {
    let network: HostNetwork?
    /// For each link of the workload: its devices on the host.
    let ways: [Set<Int32>]
    private let all: Set<Int32>
    /// Devices on the ways to any workload.
    private let used: Set<Int32>

    init(network: HostNetwork?, ways: [Set<Int32>], used: Set<Int32>) {
        self.network = network
        self.ways = ways
        self.used = used
        all = Set(ways.joined())
    }

    let elsewhere = "the host's way to it does not lead through this workload's link; declare it if it is right"

    /// Why an address that others rely on cannot be taken without being declared.
    func gateway(_ address: IPAddress) -> String? {
        guard !address.isLinkLocal, network?.isDefaultGateway(address) == true else { return nil }
        return "it is the host's default gateway; declare it if it is right"
    }

    /// True if the host looks for it as a neighbour there, or knows nothing of addresses there.
    func isDirect(_ address: IPAddress) -> Bool {
        guard let network, !address.isLinkLocal else { return true }
        let hops = network.routes.hops(to: address)
        if hops.contains(where: { $0.gateway == nil && all.contains($0.device) }) { return true }
        guard ways.contains(where: { network.isLayer2Only($0, isIPv4: address.isIPv4) }) else { return false }
        // Not in `all`, as just seen: then on the way to another workload.
        return !hops.contains { $0.gateway == nil && used.contains($0.device) }
    }

    /// True if the host routes it to one of the workload's own addresses.
    func isBehind(_ address: IPAddress, _ own: Set<IPAddress>) -> Bool {
        guard let network else { return false }
        return network.routes.hops(to: address).contains { hop in
            all.contains(hop.device) && hop.gateway.map(own.contains) == true
        }
    }
}
