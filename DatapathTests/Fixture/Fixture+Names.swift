// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CDatapathABI
import EventModel
import IdentityModel
import NetworkModel
import TableEncoding
import Testing

/// What tests of names do: selectors with numbers, questions, answers, connections.
extension Fixture {
    static let nameHash: NameHash = {
        var generator = SeededGenerator(seed: 53)
        return NameHash(using: &generator)
    }()
    static let clientPort: UInt16 = 40053

    /// A number as a peer.
    static func name(_ number: UInt32) -> NumericIdentity {
        NumericIdentity(rawValue: NumericIdentity.nameRange.lowerBound + number)
    }

    /// Reads answers of both families' peers; the endpoint may ask them, and nothing else but what `policy` adds.
    func readNames(
        _ selectors: [String: UInt32], grace: UInt32 = 1, ttlMin: UInt32 = 1, openSeconds: UInt32 = 3600,
        _ policy: (TestPolicy) -> TestPolicy
    ) throws {
        let suffixes = selectors.keys.compactMap { NameSelector($0)?.name }
        try configureNames(suffixes, grace: grace, ttlMin: ttlMin, openSeconds: openSeconds)
        for family in Family.allCases { try maps.names.resolvers.update(family.peer.kernelAddress, to: 1) }
        var bySuffix: [DomainName: [NameSelector.Extent: UInt32]] = [:]
        for (text, number) in selectors {
            let selector = try #require(NameSelector(text))
            bySuffix[selector.name, default: [:]][selector.extent] = Fixture.name(number).rawValue
        }
        for (suffix, numbers) in bySuffix { try write(suffix, numbers) }
        try commitNames(policy)
    }

    private func write(_ suffix: DomainName, _ numbers: [NameSelector.Extent: UInt32]) throws {
        var shelves = NameGlobShelves()
        shelves.update(to: Set(numbers.keys.compactMap { NameSelector($0, suffix).glob }))
        for (index, patterns) in shelves.patterns.enumerated() {
            try maps.names.globs.update(
                fqdn_glob_key(suffix, index, Fixture.nameHash),
                to: fqdn_glob(patterns.map { ($0, numbers[.glob($0)] ?? 0) }))
        }
        try maps.names.selectors.update(
            fqdn_selector_key(suffix, Fixture.nameHash),
            to: fqdn_selector(suffix, numbers: numbers, globs: shelves.patterns.count))
    }

    func configureNames(
        _ suffixes: [DomainName] = [], grace: UInt32 = 1, ttlMin: UInt32 = 1, openSeconds: UInt32 = 3600
    ) throws {
        var config = fqdn_config()
        Fixture.nameHash.store(in: &config)
        config.setLengths(of: suffixes)
        (config.is_enabled, config.query_seconds) = (1, 10)
        (config.ttl_min, config.ttl_max, config.grace_seconds) = (ttlMin, 86400, grace)
        config.open_seconds = openSeconds
        try maps.names.config.update(0, to: config)
    }

    func commitNames(_ policy: (TestPolicy) -> TestPolicy) throws {
        let base = TestPolicy().defaultDeny(.egress).allow(.egress, .ports(.udp, 53), rule: 20)
            .allow(.egress, .ports(.tcp, 53), rule: 20)
        try commit(policy(base))
    }

    /// The endpoint asks; the packet passes.
    @discardableResult
    func ask(
        _ name: String, id: UInt16, type: UInt16 = 1, family: Family = .v4, port: UInt16 = clientPort,
        resolver: IPAddress? = nil
    ) throws -> Outcome {
        let query = DNSMessage.query(name, id: id, type: type).bytes
        return try send(Packet.ip(family.own, to: resolver ?? family.peer).udp(port, 53, bytes: query))
    }

    /// Bytes arrive from a resolver.
    @discardableResult
    func reply(
        _ message: [UInt8], family: Family = .v4, port: UInt16 = clientPort, resolver: IPAddress? = nil,
        cameFrom interface: UInt32 = 0
    ) throws -> Outcome {
        let packet = Packet.ip(resolver ?? family.peer, to: family.own).udp(53, port, bytes: message)
        return try send(packet, .toEndpoint, cameFrom: interface)
    }

    /// Asks and is answered with these addresses.
    @discardableResult
    func resolve(
        _ name: String, _ addresses: [IPAddress], id: UInt16 = 7, family: Family = .v4, ttl: UInt32 = 300
    ) throws -> Outcome {
        try ask(name, id: id, family: family)
        return try reply(DNSMessage.answer(name, id: id, addresses, ttl: ttl).bytes, family: family)
    }

    /// A first packet to an address.
    func connect(_ address: IPAddress, _ port: UInt16 = 443) throws -> Outcome {
        try forgetFlows()
        return try send(Packet.ip(address.isIPv4 ? Family.v4.own : Family.v6.own, to: address).tcp(41000, port, .syn))
    }

    /// True if a first packet to port 443 of this address passes.
    func opens(_ address: IPAddress) throws -> Bool { try connect(address).passed }
}

extension Family {
    /// Addresses of the world, by number.
    func outside(_ number: UInt16) -> IPAddress {
        self == .v4
            ? IPAddress(v4: 0xc633_0000 | UInt32(number))
            : IPAddress(high: 0x2001_0db8_0001_0000, low: UInt64(number))
    }
}
