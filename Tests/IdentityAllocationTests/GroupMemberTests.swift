// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel
import Testing

@testable import IdentityAllocation

/// Services and the workloads behind them, where there are many of both.
@Suite struct GroupMemberTests {
    private static let namespaces = 40
    private static let perNamespace = 50

    private static func labels(_ namespace: Int, _ app: Int, team: String? = nil) -> LabelSet {
        LabelSet(
            [
                Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "ns-\(namespace)"),
                Label(source: LabelSource.workload, key: "app", value: "app-\(app)"),
            ] + (team.map { [Label(source: LabelSource.workload, key: "team", value: $0)] } ?? []))
    }

    private static func service(_ name: String, _ namespace: Int, _ app: Int) -> PrefixGroup {
        PrefixGroup(
            labels: LabelSet([Label(source: LabelSource.service, key: "name", value: name)]),
            members: LabelSelector([
                .equal(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "ns-\(namespace)"),
                .equal(source: LabelSource.any, key: "app", value: "app-\(app)"),
            ]))
    }

    private static func filled() throws -> IdentityAllocator {
        var allocator = IdentityAllocator()
        for index in 0..<namespaces * perNamespace {
            try allocator.setEndpoint(
                "w\(index)",
                .init(
                    labels: labels(index / perNamespace, index % perNamespace, team: "t\(index % 7)"),
                    addresses: [IPAddress(v4: 0x0a00_0000 + UInt32(index))], isRemote: true))
        }
        _ = try allocator.settle()
        return allocator
    }

    private func members(_ allocator: IdentityAllocator) -> Set<String> {
        Set(allocator.records.values.filter { !$0.groups.isEmpty }.map(\.labels.description))
    }

    @Test func `a service that comes, changes or goes touches its workloads alone`() throws {
        var allocator = try Self.filled()
        allocator.useGroup(Self.service("s", 3, 7))
        #expect(allocator.touched.identities.count == 1)
        #expect(try allocator.settle().recordSettings.count == 1)
        allocator.releaseGroup(Self.service("s", 3, 7))
        allocator.useGroup(Self.service("s", 4, 7))
        #expect(allocator.touched.identities.count == 2)
        #expect(try allocator.settle().recordSettings.count == 2)
        #expect(members(allocator).allSatisfy { $0.contains("ns-4") } && members(allocator).count == 1)
        allocator.releaseGroup(Self.service("s", 4, 7))
        #expect(try allocator.settle().recordSettings.count == 1 && members(allocator).isEmpty)
    }

    @Test func `workloads that come, move and go are known to services, over changes taken back`() throws {
        var allocator = try Self.filled()
        for app in 0..<Self.perNamespace { allocator.useGroup(Self.service("s\(app)", app % Self.namespaces, app)) }
        _ = try allocator.settle()
        let before = members(allocator)
        #expect(before.count == Self.perNamespace)
        func change() throws {
            try allocator.setEndpoint(
                "new", .init(labels: Self.labels(5, 5), addresses: [IPAddress(v4: 0x0b00_0001)], isRemote: true))
            // From namespace 0 to namespace 5.
            try allocator.setEndpoint(
                "w0",
                .init(labels: Self.labels(5, 5, team: "moved"), addresses: [IPAddress(v4: 0x0a00_0000)], isRemote: true)
            )
            allocator.releaseGroup(Self.service("s5", 5, 5))
            allocator.useGroup(Self.service("other", 5, 5))
            _ = try allocator.settle()
        }
        for _ in 0..<2 {
            allocator.revise(.begin)
            try change()
            allocator.revise(.revert)
            #expect(members(allocator) == before)
        }
        allocator.revise(.begin)
        try change()
        allocator.revise(.keep)
        // The new one and the one that moved join those of namespace 5; who moved has left service s0.
        #expect(members(allocator).count == before.count + 1)
        let mine = allocator.records.values.filter {
            $0.labels.namespace == "ns-5" && $0.labels.value(source: LabelSource.workload, key: "app") == "app-5"
        }
        #expect(mine.count == 3 && mine.allSatisfy { $0.groups.description.contains("service:name=other") })
    }

    @Test func `a service for every value of a label, and one of any namespace, finds its workloads`() throws {
        var allocator = try Self.filled()
        let anywhere = PrefixGroup(
            labels: LabelSet([Label(source: LabelSource.service, key: "name", value: "any")]),
            members: LabelSelector([.equal(source: LabelSource.any, key: "team", value: "t3")]))
        let two = PrefixGroup(
            labels: LabelSet([Label(source: LabelSource.service, key: "name", value: "two")]),
            members: LabelSelector([LabelRequirement(key: "app", .isIn(["app-1", "app-2"]))]))
        allocator.useGroup(anywhere)
        allocator.useGroup(two)
        _ = try allocator.settle()
        func count(_ name: String) -> Int {
            allocator.records.values.filter { $0.groups.description.contains("name=\(name)") }.count
        }
        let all = Self.namespaces * Self.perNamespace
        #expect(count("any") == (0..<all).filter { $0 % 7 == 3 }.count && count("two") == 2 * Self.namespaces)
        allocator.releaseGroup(two)
        _ = try allocator.settle()
        #expect(count("two") == 0 && count("any") > 0)
    }
}
