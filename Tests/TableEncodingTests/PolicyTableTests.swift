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

    private func randomKey(_ random: inout SplitMix64) -> PolicyKey {
        let length = UInt8.random(in: 0...16, using: &random)
        return PolicyKey(
            peer: NumericIdentity(rawValue: .random(in: 0...40, using: &random)),
            subject: .random(in: 0...3, using: &random), port: .random(in: 0...7, using: &random) << 13,
            proto: [6, 17].randomElement(using: &random) ?? 6, direction: .ingress, prefixLength: length)
    }

    private func randomValue(_ random: inout SplitMix64) -> PolicyValue {
        PolicyValue(
            enforced: PolicyVerdict(precedence: .random(in: 1...9, using: &random), rule: 20),
            all: PolicyVerdict(precedence: .random(in: 1...9, using: &random), rule: 21))
    }
}
