// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityAllocation
import IdentityModel
import KernelDatapath
import NetworkModel
import PolicyCompiler

/// One end of what is to be explained, with all the addresses it may have.
struct ExplainedParty: Sendable {
    var side: PolicyCompiler.ExplainedSide
    var record: ControlAPI.ExplainedSide
    /// IPv4 first; empty: none is known, it may be of either family.
    var addresses: [IPAddress]
    /// Asked for by DNS name.
    var domainName: DomainName?

    /// More than these are not looked at: nobody would read it.
    private static var addressesPerFamilyMax: Int { 8 }

    /// `addresses`: in any order; those of one link count only if there are no others.
    init(side: PolicyCompiler.ExplainedSide, record: ControlAPI.ExplainedSide, addresses: some Sequence<IPAddress>) {
        self.side = side
        self.record = record
        let sorted = addresses.sorted()
        let wide = sorted.filter { !$0.isLinkLocal }
        let chosen = wide.isEmpty ? sorted : wide
        self.addresses = [4, 6].flatMap { family in
            chosen.filter { $0.family == family }.prefix(ExplainedParty.addressesPerFamilyMax)
        }
    }

    func side(at address: IPAddress?) -> PolicyCompiler.ExplainedSide {
        var side = side
        side.address = address
        return side
    }

    func record(at address: IPAddress?) -> ControlAPI.ExplainedSide {
        var record = record
        record.address = address.map { "\($0)" }
        return record
    }

    fileprivate func addresses(of family: Int?) -> [IPAddress?] {
        guard !addresses.isEmpty else { return [nil] }
        return addresses.filter { family == nil || $0.family == family }
    }

    fileprivate func isSame(as other: ExplainedParty) -> Bool {
        record.endpoint != nil && record.endpoint == other.record.endpoint && addresses == other.addresses
    }

    /// As it was asked for.
    fileprivate var name: String { record.text }
}

/// A sender's and a receiver's address between which a packet can travel.
struct AddressPair: Hashable, Sendable {
    var source: IPAddress?
    var destination: IPAddress?

    /// Nil: neither address is known.
    var family: Int? { (source ?? destination)?.family }

    /// Every pair of one family, IPv4 first; at least one.
    static func all(
        from source: ExplainedParty, to destination: ExplainedParty, family: Int?
    ) throws(APIError) -> [AddressPair] {
        for party in [source, destination] where party.addresses(of: family).isEmpty {
            throw APIError(.badRequest, "\(party.name) has no IPv\(family ?? 0) address")
        }
        let pairs = source.addresses(of: family).flatMap { from in
            destination.addresses(of: family).map { AddressPair(source: from, destination: $0) }
        }.filter { pair in
            guard let from = pair.source, let to = pair.destination else { return true }
            // What a party sends to itself has one address at both ends, as far as policy is concerned.
            return source.isSame(as: destination) ? from == to : from.family == to.family
        }
        guard !pairs.isEmpty else {
            throw APIError(
                .badRequest,
                "\(source.name) and \(destination.name) have no address family in common: no packet travels between "
                    + "IPv4 and IPv6")
        }
        // By pairs the order of the source's addresses rules; the family comes first.
        return pairs.filter { $0.family != 6 } + pairs.filter { $0.family == 6 }
    }
}

extension IPAddress {
    /// 169.254.0.0/16 or fe80::/10.
    fileprivate var isLinkLocal: Bool {
        isIPv4 ? v4Bits >> 16 == 0xa9fe : high >> 54 == 0xfe80 >> 6
    }
}

extension AgentState {
    /// Understands one end: an endpoint, an address, a reserved name, labels or a DNS name.
    func party(_ text: String) throws(APIError) -> ExplainedParty {
        if let workload = workload(text) {
            return party(workload, text, workload.isService ? Set(hostAddresses) : workload.addresses)
        }
        if let address = IPAddress(text) { return party(address, text) }
        if let party = elsewhere(text) { return party }
        if text == "world" || text == "reserved:world" { return world(text, [], .world) }
        if text == "host" || text == "reserved:host" { return host(text, hostAddresses) }
        if text.contains("."), let name = DomainName(text) {
            var party = world(text, [], .world)
            party.record.kind = "name"
            party.domainName = name
            return party
        }
        guard text.contains(":") || text.contains("=") else {
            throw APIError(
                .badRequest,
                "\"\(text)\" is no endpoint, no address, no labels and no DNS name: `bulkhead endpoint list` shows names; "
                    + "labels look like k8s:app=web")
        }
        let labels = try parseLabels(text)
        let known = engine.allocator.records.values.first { $0.labels == labels && $0.prefix == nil }
        return ExplainedParty(
            side: PolicyCompiler.ExplainedSide(
                labels: labels, namedPorts: known?.namedPorts ?? NamedPorts(), isAudited: isAudit || isAudited(labels)),
            record: ControlAPI.ExplainedSide(
                text: text, kind: "labels", identity: (known?.identity ?? .any).rawValue,
                labels: labels.labels.map(\.description)), addresses: [])
    }

    /// Names that an endpoint was told of addresses and that still count.
    ///
    /// `isAsked`: also where no rule is about names; else none then, as the table of answers may be large.
    func learntNames(of party: ExplainedParty, isAsked: Bool) throws(APIError) -> [IPAddress: [DomainName]] {
        guard isAsked || engine.input.policies.values.contains(where: { !$0.names.isEmpty }),
            let name = party.record.endpoint, let workload = workload(name),
            let number = endpointNumbers.assigned[workload.key]
        else { return [:] }
        do {
            var found: [IPAddress: [DomainName]] = [:]
            for learnt in try datapath.learntNames() where UInt32(learnt.endpoint) == UInt32(number) {
                for entry in learnt.addresses where entry.remaining > .zero {
                    found[entry.address, default: []].append(learnt.name)
                }
            }
            return found
        } catch {
            throw APIError(.unavailable, "cannot read the names learnt: \(error)")
        }
    }

    /// A party that was asked for by name, at the addresses that the other one was told for it.
    ///
    /// One that points inside is whoever has the address: names open nobody inside.
    func located(_ party: ExplainedParty, _ known: [IPAddress: [DomainName]]) -> ExplainedParty {
        guard let name = party.domainName else { return party }
        let addresses = known.filter { $0.value.contains(name) }.keys.sorted()
        let outside = addresses.filter { address in
            !hostAddresses.contains(address)
                && !engine.input.workloads.values.contains { $0.addresses.contains(address) }
        }
        if outside.isEmpty, let address = addresses.first { return self.party(address, party.record.text) }
        var located = ExplainedParty(side: party.side, record: party.record, addresses: outside)
        located.domainName = name
        return located
    }

    /// A workload as policies see it; its address is left open.
    ///
    /// `hostDevices`: as they are; given where many workloads are looked at.
    func side(of workload: Workload, hostDevices: Set<Int32>? = nil) -> PolicyCompiler.ExplainedSide {
        let identity = engine.allocator.assignments[workload.key]?.identity ?? .unmanaged
        var side = PolicyCompiler.ExplainedSide(
            labels: workload.labels, namedPorts: workload.namedPorts,
            sharedPorts: engine.allocator.records[identity]?.namedPorts, isHost: workload.isHost,
            crossesHostDevice: crosses(hostDevices ?? self.hostDevices, workload),
            isAudited: isAudit || isAudited(workload))
        side.isService = workload.isService
        if workload.isService { side.labelsForOthers = engine.allocator.records[.host]?.labels }
        if workload.isHost { side.openPorts = openPorts }
        return side
    }

    private func party(_ workload: Workload, _ text: String, _ addresses: Set<IPAddress>) -> ExplainedParty {
        let identity = engine.allocator.assignments[workload.key]?.identity ?? .unmanaged
        return ExplainedParty(
            side: side(of: workload),
            record: ControlAPI.ExplainedSide(
                text: text, kind: "endpoint", endpoint: workload.name, identity: identity.rawValue,
                labels: workload.labels.labels.map(\.description)), addresses: addresses)
    }

    private func party(_ address: IPAddress, _ text: String) -> ExplainedParty {
        if let workload = engine.input.workloads.values.first(where: { $0.addresses.contains(address) }) {
            var party = party(workload, text, [address])
            party.record.kind = "address"
            return party
        }
        if hostAddresses.contains(address) { return host(text, [address]) }
        let prefix = engine.allocator.mappings.filter { $0.key.contains(address) }.max { $0.key.length < $1.key.length }
        guard let identity = prefix?.value, let record = engine.allocator.records[identity], record.isWorkload else {
            return world(text, [address], prefix?.value ?? .world)
        }
        return elsewhere(text, "address", record.labels, record.namedPorts, identity, [address])
    }

    /// A workload of another host by its name; nil: there is none.
    private func elsewhere(_ text: String) -> ExplainedParty? {
        let key = RemoteWorkload.keyPrefix(source: WorkloadsFileSource.name) + text
        guard let remote = engine.allocator.endpoints[key]?.remote,
            let identity = engine.allocator.assignments[key]?.identity
        else { return nil }
        let mappings = engine.allocator.mappings
        // What was refused to it is somebody else's; inside a prefix that policies name it has a number derived from its own.
        let addresses = remote.addresses.filter { address in
            guard let mapped = mappings[CIDR(host: address)] else { return false }
            return mapped == identity || engine.allocator.records[mapped]?.labels == remote.labels
        }
        return elsewhere(text, "endpoint", remote.labels, remote.namedPorts, identity, addresses)
    }

    /// Somebody known who is no endpoint of this host: policies mean the labels, and only this host's are asked.
    private func elsewhere(
        _ text: String, _ kind: String, _ labels: LabelSet, _ ports: NamedPorts, _ identity: NumericIdentity,
        _ addresses: [IPAddress]
    ) -> ExplainedParty {
        ExplainedParty(
            side: PolicyCompiler.ExplainedSide(
                labels: labels, namedPorts: ports, sharedPorts: engine.allocator.records[identity]?.namedPorts,
                isEndpoint: false),
            record: ControlAPI.ExplainedSide(
                text: text, kind: kind, identity: identity.rawValue, labels: labels.labels.map(\.description)),
            addresses: addresses)
    }

    private func world(_ text: String, _ addresses: [IPAddress], _ identity: NumericIdentity) -> ExplainedParty {
        ExplainedParty(
            side: .world(nil),
            record: ControlAPI.ExplainedSide(
                text: text, kind: "address", identity: identity.rawValue, labels: ["reserved:world"]),
            addresses: addresses)
    }

    /// The host as policies see it.
    var hostSide: PolicyCompiler.ExplainedSide { host("host", []).side }

    func host(_ text: String, _ addresses: [IPAddress]) -> ExplainedParty {
        let endpoint = engine.input.workloads.values.first { $0.isHost && !$0.isService }
        var side = PolicyCompiler.ExplainedSide.host(
            nil, labels: engine.hostLabels, isEndpoint: configuration.hostEndpoint.isEnabled,
            isAudited: isAudit || endpoint.map { auditedWorkloads.contains($0.key) } ?? false)
        side.openPorts = openPorts
        return ExplainedParty(
            side: side,
            record: ControlAPI.ExplainedSide(
                text: text, kind: "address", identity: NumericIdentity.host.rawValue,
                labels: side.labels.labels.map(\.description)), addresses: addresses)
    }
}
