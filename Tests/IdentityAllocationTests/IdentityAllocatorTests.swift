// SPDX-License-Identifier: Apache-2.0

import IdentityAllocation
import IdentityModel
import NetworkModel
import PolicyModel
import Testing

@Suite struct IdentityAllocatorTests {
    private let web = LabelSet([Label(source: "k8s", key: "app", value: "web")])
    private let db = LabelSet([Label(source: "k8s", key: "app", value: "db")])
    private let api = LabelSet([Label(source: "k8s", key: "app", value: "api")])

    private func v4(_ bits: UInt32) -> IPAddress { IPAddress(v4: bits) }

    @Test func `equal labels share identity and subject, other port names only the identity`() throws {
        var allocator = IdentityAllocator()
        let first = try allocator.setEndpoint("a", .init(labels: web, addresses: [v4(1)]))
        let second = try allocator.setEndpoint("b", .init(labels: web, addresses: [v4(2)]))
        let named = try allocator.setEndpoint(
            "c",
            .init(
                labels: web, addresses: [v4(3)], namedPorts: NamedPorts([NamedPort(proto: .tcp, name: "http"): [80]])))
        let other = try allocator.setEndpoint("d", .init(labels: api, addresses: [v4(4)]))
        #expect(first == second)
        #expect(first.identity.rawValue == 256 && first.subject == 1)
        #expect(named.identity == first.identity && named.subject == 2)
        #expect(other.identity.rawValue == 257)
        let changes = try allocator.settle()
        #expect(changes.mappingSettings[CIDR(host: v4(3))] == first.identity)
        #expect(allocator.records[first.identity]?.namedPorts.numbers[NamedPort(proto: .tcp, name: "http")] == [80])
        #expect(allocator.records[.world]?.labels.isReserved("world") == true)
    }

    @Test func `an endpoint that is removed takes its mapping, and its identity with the last of its kind`() throws {
        var allocator = IdentityAllocator()
        try allocator.setEndpoint("a", .init(labels: web, addresses: [v4(1)]))
        try allocator.setEndpoint("b", .init(labels: web, addresses: [v4(2)]))
        _ = try allocator.settle()
        allocator.removeEndpoint("a")
        #expect(try allocator.settle().mappingRemovals == [CIDR(host: v4(1))])
        allocator.removeEndpoint("b")
        let changes = try allocator.settle()
        #expect(changes.recordRemovals == [NumericIdentity(rawValue: 256)])
        #expect(allocator.mappings.isEmpty && allocator.subjects.isEmpty)
        let back = try allocator.setEndpoint("c", .init(labels: web, addresses: [v4(9)]))
        #expect(back.identity.rawValue == 256 && back.subject == 1)
    }

    @Test func `workloads belong to the groups that select their labels, and derived identities with them`() throws {
        var allocator = IdentityAllocator()
        let selector = LabelSelector([.equal(source: LabelSource.any, key: "app", value: "web")])
        let service = LabelSet([Label(source: LabelSource.service, key: "name", value: "s")])
        let group = PrefixGroup(labels: service, members: selector)
        let first = try allocator.setEndpoint("a", .init(labels: web, addresses: [v4(0x0a00_0005)]))
        let other = try allocator.setEndpoint("b", .init(labels: api, addresses: [v4(0x0a00_0006)]))
        _ = try allocator.settle()
        allocator.useGroup(group)
        allocator.useGroup(group)
        #expect(try allocator.settle().recordSettings.map(\.identity) == [first.identity], "others are not touched")
        #expect(allocator.records[first.identity]?.groups == [service])
        #expect(allocator.records[other.identity]?.groups == [])
        try allocator.usePrefix(CIDR(v4(0x0a00_0000), length: 8), includesWorkloads: true)
        _ = try allocator.settle()
        let derived = try #require(allocator.mappings[CIDR(host: v4(0x0a00_0005))])
        #expect(derived != first.identity && allocator.records[derived]?.groups == [service])
        allocator.releaseGroup(group)
        #expect(try allocator.settle().recordSettings.isEmpty, "two documents say so, one is left")
        allocator.releaseGroup(group)
        _ = try allocator.settle()
        #expect(allocator.records[first.identity]?.groups == [] && allocator.records[derived]?.groups == [])
    }

    @Test func `a workload in a prefix that includes workloads has an identity of its own there`() throws {
        var allocator = IdentityAllocator()
        let base = try allocator.setEndpoint("a", .init(labels: web, addresses: [v4(0x0a00_0005), v4(0x0b00_0005)]))
        let wide = CIDR(v4(0x0a00_0000), length: 8)
        let narrow = CIDR(v4(0x0a00_0000), length: 24)
        try allocator.usePrefix(wide, includesWorkloads: true)
        try allocator.usePrefix(narrow, includesWorkloads: true)
        try allocator.usePrefix(CIDR(v4(0x0a00_0004), length: 30), includesWorkloads: false)
        _ = try allocator.settle()
        let derived = try #require(allocator.mappings[CIDR(host: v4(0x0a00_0005))])
        #expect(NumericIdentity.localRange.contains(derived.rawValue))
        #expect(
            allocator.records[derived]
                == ResolvedIdentity(identity: derived, labels: web, prefix: narrow, isWorkload: true))
        #expect(allocator.mappings[CIDR(host: v4(0x0b00_0005))] == base.identity)
        allocator.releasePrefix(narrow, includesWorkloads: true)
        let changes = try allocator.settle()
        #expect(changes.recordRemovals.contains(derived))
        let outer = try #require(allocator.mappings[CIDR(host: v4(0x0a00_0005))])
        #expect(allocator.records[outer]?.prefix == wide)
        allocator.releasePrefix(wide, includesWorkloads: true)
        _ = try allocator.settle()
        #expect(allocator.mappings[CIDR(host: v4(0x0a00_0005))] == base.identity)
    }

    @Test func `a label set is known to be no packet's while all of its addresses are in prefixes`() throws {
        var allocator = IdentityAllocator()
        let base = try allocator.setEndpoint("a", .init(labels: web, addresses: [v4(0x0a00_0005)])).identity
        try allocator.setEndpoint("none", .init(labels: api, addresses: []))
        func isOnlyDerived() throws -> Bool? {
            _ = try allocator.settle()
            return allocator.records[base]?.isOnlyDerived
        }
        #expect(try isOnlyDerived() == false)
        let wide = CIDR(v4(0x0a00_0000), length: 8)
        try allocator.usePrefix(wide, includesWorkloads: true)
        #expect(try isOnlyDerived() == true)
        let derived = try #require(allocator.mappings[CIDR(host: v4(0x0a00_0005))])
        #expect(derived != base && allocator.records[derived]?.isOnlyDerived == false)
        // Who has no address may get one.
        #expect(allocator.records.values.filter(\.isOnlyDerived).map(\.identity) == [base])
        allocator.revise(.begin)
        try allocator.setEndpoint("b", .init(labels: web, addresses: [v4(0x0b00_0001)]))
        #expect(try isOnlyDerived() == false)
        allocator.revise(.revert)
        #expect(try isOnlyDerived() == true)
        try allocator.setEndpoint("b", .init(labels: web, addresses: [v4(0x0b00_0001), v4(0x0b00_0002)]))
        #expect(try isOnlyDerived() == false)
        try allocator.setEndpoint("b", .init(labels: web, addresses: [v4(0x0b00_0002)]))
        #expect(try isOnlyDerived() == false)
        // Elsewhere the same addresses; nobody else has the label set for a moment.
        allocator.removeEndpoint("a")
        try allocator.setEndpoint("b", .init(labels: web, addresses: [v4(0x0a00_0006)]))
        #expect(try isOnlyDerived() == true)
        try allocator.setEndpoint("b", .init(labels: web, addresses: []))
        #expect(try isOnlyDerived() == false)
        try allocator.setEndpoint("b", .init(labels: web, addresses: [v4(0x0a00_0006)]))
        #expect(try isOnlyDerived() == true)
        allocator.releasePrefix(wide, includesWorkloads: true)
        #expect(try isOnlyDerived() == false)
    }

    @Test(arguments: ["init", "remote-node"])
    func `an endpoint of a reserved identity in a prefix is no outsider`(name: String) throws {
        var allocator = IdentityAllocator()
        let labels = LabelSet([Label(source: LabelSource.reserved, key: name)])
        try allocator.setEndpoint("a", .init(labels: labels, addresses: [v4(0x0a01_0001)]))
        try allocator.usePrefix(CIDR(v4(0x0a01_0000), length: 16), includesWorkloads: true)
        _ = try allocator.settle()
        let identity = try #require(allocator.mappings[CIDR(host: v4(0x0a01_0001))])
        let record = try #require(allocator.records[identity])
        #expect(record.isWorkload && record.labels == labels && record.prefix != nil)
        allocator.removeEndpoint("a")
        _ = try allocator.settle()
        let base = allocator.records.values.first { $0.labels == labels }
        #expect(base?.isWorkload == false)
    }

    @Test func `a prefix is the world with a label, unless it is an endpoint's own address`() throws {
        var allocator = IdentityAllocator()
        let prefix = CIDR(v4(0x0a00_0000), length: 8)
        let single = CIDR(host: v4(0x0a00_0005))
        try allocator.usePrefix(prefix, includesWorkloads: false)
        try allocator.usePrefix(prefix, includesWorkloads: false)
        try allocator.usePrefix(single, includesWorkloads: false)
        let base = try allocator.setEndpoint("a", .init(labels: web, addresses: [single.address]))
        _ = try allocator.settle()
        let identity = try #require(allocator.mappings[prefix])
        #expect(allocator.records[identity]?.labels.description == "cidr:10.0.0.0/8,reserved:world")
        #expect(allocator.mappings[single] == base.identity)
        allocator.removeEndpoint("a")
        allocator.releasePrefix(prefix, includesWorkloads: false)
        _ = try allocator.settle()
        #expect(allocator.mappings[prefix] == identity)
        #expect(allocator.mappings[single].flatMap { allocator.records[$0]?.prefix } == single)
        allocator.releasePrefix(prefix, includesWorkloads: false)
        #expect(try allocator.settle().mappingRemovals == [prefix])
    }

    @Test func `what endpoints of other hosts name in vain is known, unless it stands for their labels anyway`() throws
    {
        var allocator = IdentityAllocator()
        func remote(_ name: String, _ labels: LabelSet, _ addresses: [UInt32]) throws {
            try allocator.setEndpoint(name, .init(labels: labels, addresses: addresses.map(v4), isRemote: true))
        }
        func refused() -> [String] {
            allocator.refusedAddresses.map { "\($0.address) \($0.name) \($0.owner ?? "host")" }
        }
        allocator.setHost(addresses: [v4(9)])
        try allocator.setEndpoint("here", .init(labels: web, addresses: [v4(1)]))
        try remote("r1", db, [1, 2, 3, 9])
        #expect(refused() == ["0.0.0.1 r1 here", "0.0.0.9 r1 host"])
        // Of two the first by name has it; a third of the owner's labels loses nothing.
        try remote("r2", web, [1, 2])
        try remote("r3", db, [2, 9])
        #expect(refused() == ["0.0.0.1 r1 here", "0.0.0.2 r2 r1", "0.0.0.9 r1 host", "0.0.0.9 r3 host"])
        // A change that is taken back leaves what was said before it.
        let before = refused()
        allocator.revise(.begin)
        try remote("r1", db, [])
        #expect(refused() == ["0.0.0.2 r3 r2", "0.0.0.9 r3 host"])
        allocator.revise(.revert)
        #expect(refused() == before)
        allocator.setHost(addresses: [])
        for name in ["r1", "r2", "here"] { allocator.removeEndpoint(name) }
        #expect(refused() == [])
    }

    @Test func `the host's addresses are the host, also against an endpoint that claims one`() throws {
        var allocator = IdentityAllocator()
        allocator.setHost(labels: [Label(source: "k8s", key: "role", value: "node")], addresses: [v4(7)])
        try allocator.setEndpoint("a", .init(labels: web, addresses: [v4(7), v4(8)]))
        _ = try allocator.settle()
        #expect(allocator.mappings[CIDR(host: v4(7))] == .host)
        #expect(allocator.records[.host]?.labels.description == "k8s:role=node,reserved:host")
        try allocator.usePrefix(CIDR(v4(0), length: 0), includesWorkloads: true)
        _ = try allocator.settle()
        let inside = try #require(allocator.mappings[CIDR(host: v4(7))])
        #expect(allocator.records[inside]?.labels.isReserved("host") == true && inside != .host)
    }

    @Test func `more patterns below one name than the programs look for are refused, until one goes`() throws {
        var allocator = IdentityAllocator()
        func pattern(_ number: Int) throws -> NameSelector { try #require(NameSelector("a\(number)-*.test")) }
        for number in 0..<NameGlob.countMax { try allocator.useName(pattern(number)) }
        try allocator.useName(pattern(0))
        _ = try allocator.settle()
        allocator.revise(.begin)
        try allocator.useName(pattern(64))
        try allocator.useName(#require(NameSelector("*.test")))
        #expect(throws: IdentityError.patternsExhausted(try #require(DomainName("test")))) { try allocator.settle() }
        allocator.revise(.revert)
        allocator.releaseName(try pattern(1))
        try allocator.useName(pattern(64))
        _ = try allocator.settle()
        try allocator.useName(#require(NameSelector("a1-*.other")))
        _ = try allocator.settle()
    }

    @Test func `too many label sets are refused and nothing changes`() throws {
        var allocator = IdentityAllocator()
        for number in IdentityAllocator.subjectRange {
            try allocator.setEndpoint("\(number)", .init(labels: numbered(number), addresses: []))
        }
        #expect(throws: IdentityError.subjectsExhausted) {
            try allocator.setEndpoint("one more", .init(labels: numbered(0), addresses: []))
        }
        #expect(allocator.endpoints["one more"] == nil)
        allocator.removeEndpoint("5")
        #expect(try allocator.setEndpoint("one more", .init(labels: numbered(0), addresses: [])).subject == 5)
    }

    @Test func `identities survive a restart through a snapshot`() throws {
        var allocator = IdentityAllocator()
        try allocator.setEndpoint("a", .init(labels: web, addresses: [v4(0x0a00_0005)]))
        let kept = try allocator.setEndpoint("b", .init(labels: api, addresses: [v4(2)]))
        try allocator.usePrefix(CIDR(v4(0x0a00_0000), length: 8), includesWorkloads: true)
        _ = try allocator.settle()
        var restored = IdentityAllocator(restoring: allocator.snapshot)
        let fresh = try restored.setEndpoint("n", .init(labels: numbered(1), addresses: []))
        #expect(fresh.identity.rawValue == 258)
        #expect(try restored.setEndpoint("b", .init(labels: api, addresses: [v4(2)])) == kept)
        try restored.usePrefix(CIDR(v4(0x0a00_0000), length: 8), includesWorkloads: true)
        try restored.setEndpoint("a", .init(labels: web, addresses: [v4(0x0a00_0005)]))
        _ = try restored.settle()
        #expect(restored.mappings == allocator.mappings)
    }

    private func numbered(_ number: UInt32) -> LabelSet {
        LabelSet([Label(source: "k8s", key: "number", value: "\(number)")])
    }
}
