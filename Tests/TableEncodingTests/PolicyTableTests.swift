// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import IdentityModel
import NetworkModel
import PolicyCompiler
import Testing

@testable import TableEncoding

@Suite struct PolicyTableTests {
    @Test func `any sequence of changes reads like a dictionary`() {
        var random = SplitMix64(state: 1)
        let table = PolicyTable(buckets: 512, capacity: 4096)
        var oracle: [PolicyKey: PolicyValue] = [:]
        for _ in 0..<20_000 {
            let key = randomKey(&random)
            if Int.random(in: 0..<10, using: &random) < 4 {
                #expect(table.remove(key) == (oracle.removeValue(forKey: key) != nil))
            } else if oracle.count < 2000 || oracle[key] != nil {
                let value = randomValue(&random)
                table.set(key, to: value)
                oracle[key] = value
            }
            #expect(table.value(of: key) == oracle[key])
        }
        #expect(table.count == oracle.count)
        #expect(Dictionary(uniqueKeysWithValues: table.contents().map { ($0.key, $0.value) }) == oracle)
    }

    @Test(arguments: [100, 3000]) func `many entries at once read like a dictionary`(count: Int) throws {
        var random = SplitMix64(state: 3)
        let table = PolicyTable(buckets: 4096, capacity: 16_384)
        var oracle: [PolicyKey: PolicyValue] = [:]
        for round in 0..<30 {
            let gone = Array(
                oracle.keys.shuffled(using: &random).prefix(Int.random(in: 0...oracle.count, using: &random)))
            // Some were never there, and one slot begins anew.
            let strangers = (0..<5).map { _ in randomKey(&random, subjects: 90...99) }
            var settings: [PolicyKey: PolicyValue] = [:]
            for _ in 0..<count {
                let key = randomKey(&random, subjects: UInt16(round)...UInt16(round + 3), peers: 500)
                if !gone.contains(key) { settings[key] = randomValue(&random) }
            }
            let list = settings.map { MapChanges.PolicySetting(key: $0.key, value: $0.value) }
            try table.check(removing: gone + strangers, setting: list)
            table.remove(gone + strangers)
            table.set(list)
            for key in gone { oracle[key] = nil }
            oracle.merge(settings) { $1 }
            #expect(table.count == oracle.count)
            #expect(Dictionary(table.contents().map { ($0.key, $0.value) }) { first, _ in first } == oracle)
        }
        table.remove(Array(oracle.keys))
        #expect(table.count == 0 && table.contents().isEmpty)
    }

    @Test func `entries of one transaction lie side by side, and their room is taken again`() throws {
        var random = SplitMix64(state: 4)
        let table = PolicyTable(buckets: 65_536, capacity: 65_536)
        func settings(_ subject: UInt16) -> [MapChanges.PolicySetting] {
            let keys = Set((0..<4000).map { _ in randomKey(&random, subjects: subject...subject, peers: 60_000) })
            return keys.map { .init(key: $0, value: randomValue(&random)) }
        }
        let first = settings(1)
        table.set(first)
        let ranges = table.entries.takeDirty()
        #expect(ranges.count == 1)
        table.remove(first.map(\.key))
        let second = settings(2).prefix(first.count)
        table.set(Array(second))
        #expect(table.entries.takeDirty().map(\.bytes.upperBound).max() == ranges[0].bytes.upperBound)
    }

    @Test(arguments: [1, 255, 257, 5000]) func `the order of buckets is complete and stable`(count: Int) {
        var random = SplitMix64(state: 5)
        for mask in [0, 1, 1023, 4095, 1 << 18 - 1, UInt32.max] as [UInt32] {
            let buckets = (0..<count).map { _ in UInt32.random(in: 0...UInt32.max, using: &random) & mask }
            let order = BucketOrder(count: count, mask: mask) { buckets[$0] }
            let expected = buckets.indices.sorted { (buckets[$0], $0) < (buckets[$1], $1) }
            #expect(order.places.map(\.index) == expected)
            #expect(order.places.map(\.bucket) == expected.map { buckets[$0] })
        }
    }

    @Test func `the key is packed as the kernel builds it and hashes to the agreed value`() {
        let key = PolicyKey(
            peer: NumericIdentity(rawValue: 0x0100_0002), subject: 0x0304, port: 443, proto: 6, direction: .ingress,
            prefixLength: 16)
        let packed = policy_key(key)
        let bytes = unsafe withUnsafeBytes(of: packed) { unsafe Array($0) }
        #expect(bytes == [2, 0, 0, 1, 4, 3, 1, 0xbb, 6, 1, 16, 0])
        #expect(packed.tableHash == 0x3b50_6876)
        #expect(PolicyKey(packed) == key)
    }

    @Test func `a transaction that does not fit is refused before anything is changed`() throws {
        let shadow = ShadowTables(capacity: .init(policyBuckets: 64, policyEntries: 8, ipcacheChunks: 2))
        var random = SplitMix64(state: 2)
        var state = MapState()
        while state.policy.count < 8 { state.policy[randomKey(&random)] = randomValue(&random) }
        state.ipcache[CIDR(host: IPAddress(v4: 1))] = NumericIdentity(rawValue: 300)
        try shadow.apply(MapState().changes(to: state))
        let epoch = shadow.epoch
        _ = shadow.takeWrites()
        var larger = state
        while larger.policy.count < 9 { larger.policy[randomKey(&random)] = randomValue(&random) }
        larger.ipcache[CIDR(host: IPAddress(v4: 2))] = NumericIdentity(rawValue: 301)
        #expect(throws: TableError.full(.policyEntries, needed: 9, capacity: 8)) {
            try shadow.apply(state.changes(to: larger))
        }
        #expect(shadow.takeWrites().isEmpty)
        #expect(shadow.epoch == epoch)
        #expect(shadow.ipcache.find(IPAddress(v4: 2)) == nil)
    }

    @Test func `a chain longer than a lookup walks is refused`() {
        let table = PolicyTable(buckets: 1, capacity: 64)
        var random = SplitMix64(state: 2)
        let keys = (0..<17).map { _ in randomKey(&random) }
        let settings = Set(keys).map { MapChanges.PolicySetting(key: $0, value: randomValue(&random)) }
        #expect(throws: TableError.chainTooLong(length: settings.count, max: 16, buckets: 1)) {
            try table.check(removing: [], setting: settings)
        }
    }

    private func randomKey(
        _ random: inout SplitMix64, subjects: ClosedRange<UInt16> = 0...3, peers: UInt32 = 40
    ) -> PolicyKey {
        let length = UInt8.random(in: 0...16, using: &random)
        return PolicyKey(
            peer: NumericIdentity(rawValue: .random(in: 0...peers, using: &random)),
            subject: .random(in: subjects, using: &random), port: .random(in: 0...7, using: &random) << 13,
            proto: [6, 17].randomElement(using: &random) ?? 6, direction: .ingress, prefixLength: length)
    }

    private func randomValue(_ random: inout SplitMix64) -> PolicyValue {
        PolicyValue(
            enforced: PolicyVerdict(precedence: .random(in: 1...9, using: &random), rule: 20),
            all: PolicyVerdict(precedence: .random(in: 1...9, using: &random), rule: 21))
    }
}
