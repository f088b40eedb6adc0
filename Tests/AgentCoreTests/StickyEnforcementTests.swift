// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import LinuxHost
import NetworkModel
import Testing

@testable import AgentCore

@Suite struct StickyEnforcementTests {
    private static let links = Dictionary(
        uniqueKeysWithValues: [5, 6, 7].map { ($0, NetworkLink(index: $0, name: "v\($0)", kind: "veth")) })

    private func apply(_ reported: [Workload], after previous: [Workload]) -> [String: Workload] {
        StickyEnforcement(previous: byKey(previous), links: Self.links).apply(to: byKey(reported))
    }

    @Test func `a link that the host still has stays, with the addresses last known`() {
        let before = workload("a", interfaces: [5], read: ["10.0.0.2"])
        var after = workload("a", interfaces: [], read: [])
        after.problem = "no veth leads to this host"
        let result = apply([after], after: [before])["a"]
        #expect(result?.interfaces == [.init(name: "v5", index: 5)])
        #expect(result?.addresses == [address("10.0.0.2")] && result?.readAddresses == result?.addresses)
        #expect(result?.problem == nil)
        #expect(result?.concerns.count == 1)
        #expect(result?.concerns.first?.contains("v5 does not lead into it any more: no veth") == true)
    }

    @Test func `a link that the host has no more goes`() {
        let result = apply([workload("a", interfaces: [])], after: [workload("a", interfaces: [9], read: ["10.0.0.2"])])
        #expect(result["a"]?.interfaces.isEmpty == true && result["a"]?.addresses.isEmpty == true)
        #expect(result["a"]?.concerns.isEmpty == true)
    }

    @Test func `one of two links hidden: both stay, what is read of the other counts as well`() {
        let before = workload("a", interfaces: [5, 6], read: ["10.0.0.2", "10.0.1.2"])
        let result = apply([workload("a", interfaces: [6], read: ["10.0.1.3"])], after: [before])["a"]
        #expect(Set(result?.interfaces.map(\.index) ?? []) == [5, 6])
        #expect(result?.addresses == Set(["10.0.0.2", "10.0.1.2", "10.0.1.3"].map(address)))
    }

    @Test func `what was read of a table in change does not replace what was known, but declared addresses do`() {
        let before = workload("a", interfaces: [5], read: ["10.0.0.2", "10.0.0.3"])
        var after = workload("a", interfaces: [5], declared: ["10.0.0.3"], read: ["10.99.0.1"])
        after.readProblem = "too fast"
        let result = apply([after], after: [before])["a"]
        #expect(result?.addresses == Set(["10.0.0.2", "10.0.0.3"].map(address)))
        #expect(result?.readAddresses == [address("10.0.0.2")])
        #expect(result?.concerns == ["too fast; it stays enforced, with the addresses last known"])
    }

    @Test func `a workload never read is enforced with what there is, even nothing`() {
        var new = workload("a", interfaces: [5])
        (new.problem, new.readProblem) = ("cannot be read", "cannot be read")
        let result = apply([new], after: [])["a"]
        #expect(result?.interfaces.map(\.index) == [5] && result?.addresses.isEmpty == true && result?.problem == nil)
    }

    @Test func `a link found behind another workload is that one's`() {
        let result = apply(
            [workload("a", interfaces: []), workload("b", interfaces: [5], read: ["10.0.0.3"])],
            after: [workload("a", interfaces: [5], read: ["10.0.0.2"])])
        #expect(result["a"]?.interfaces.isEmpty == true)
        #expect(result["b"]?.interfaces.map(\.index) == [5])
    }

    @Test func `two that name one link: the first has it and the other says so`() {
        let result = apply([workload("a", interfaces: [5]), workload("b", interfaces: [5, 6])], after: [])
        #expect(result["a"]?.interfaces.map(\.index) == [5] && result["b"]?.interfaces.map(\.index) == [6])
        #expect(result["b"]?.concerns.first?.contains("is a's already") == true)
    }

    @Test func `an entry that means another place, or names its device, keeps nothing`() {
        let before = workload("a", interfaces: [5], read: ["10.0.0.2"])
        var elsewhere = workload("a", interfaces: [6])
        elsewhere.place = "/run/netns/other"
        #expect(apply([elsewhere], after: [before])["a"]?.interfaces.map(\.index) == [6])
        var named = workload("a", interfaces: [])
        named.place = nil
        var namedBefore = before
        namedBefore.place = nil
        #expect(apply([named], after: [namedBefore])["a"]?.interfaces.isEmpty == true)
    }
}

func address(_ text: String) -> IPAddress { IPAddress(text) ?? IPAddress(high: 0, low: 0) }

func byKey(_ workloads: [Workload]) -> [String: Workload] {
    Dictionary(workloads.map { ($0.key, $0) }) { first, _ in first }
}

/// A workload found in a namespace of its own name.
func workload(
    _ name: String, interfaces: [UInt32], declared: [String] = [], read: [String] = []
) -> Workload {
    let read = Set(read.map(address))
    return Workload(
        key: name, name: name, source: "test", labels: LabelSet([]), addresses: Set(declared.map(address)).union(read),
        readAddresses: read, interfaces: interfaces.map { .init(name: "v\($0)", index: $0) },
        place: "/run/netns/\(name)")
}
