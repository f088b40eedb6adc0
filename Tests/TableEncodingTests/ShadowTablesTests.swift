// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import IdentityModel
import NetworkModel
import PolicyCompiler
import Testing

@testable import TableEncoding

@Suite struct ShadowTablesTests {
    @Test func `copying the dirty ranges keeps a second image equal`() throws {
        var random = SplitMix64(state: 4)
        let capacity = ShadowTables.Capacity(policyBuckets: 1024, policyEntries: 4096, ipcacheChunks: 3)
        let shadow = ShadowTables(capacity: capacity)
        var bank = Bank(capacity)
        var state = MapState()
        for round in 0..<60 {
            var next = state
            for _ in 0..<20 { mutate(&next, &random) }
            if round == 30 { try shadow.rebuild(next) } else { try shadow.apply(state.changes(to: next)) }
            state = next
            for write in shadow.takeWrites() {
                unsafe shadow.withBytes(of: write) { unsafe bank.write($0, write) }
            }
            let copy = ShadowTables(capacity: capacity)
            bank.load(into: copy)
            #expect(Dictionary(uniqueKeysWithValues: copy.policy.contents().map { ($0.key, $0.value) }) == state.policy)
            for (slot, subject) in state.subjects { #expect(copy.subjects.state(of: slot) == subject) }
            for prefix in state.ipcache.keys {
                #expect(copy.ipcache.find(prefix.address) == shadow.ipcache.find(prefix.address))
            }
        }
    }

    @Test func `a subject's epoch moves with its entries, its state and any mapping, and with nothing else`() throws {
        let shadow = ShadowTables(
            capacity: .init(policyBuckets: 64, policyEntries: 64, ipcacheChunks: 2), lastEpoch: 40)
        func epochs() -> [UInt32] { (1...2).map { shadow.subjects.entries[$0].epoch } }
        var changes = MapChanges()
        changes.subjectSettings = [1: .open, 2: .open]
        try shadow.apply(changes)
        #expect(Set(epochs()) == [41, 42], "no two subjects share one")
        let first = epochs()[0]
        changes = MapChanges()
        changes.policySettings = [.init(key: key(subject: 2), value: value)]
        try shadow.apply(changes)
        #expect(epochs() == [first, 43])
        changes = MapChanges()
        changes.mappingSettings = [.init(prefix: CIDR(host: IPAddress(v4: 1)), identity: .host)]
        try shadow.apply(changes)
        #expect(Set(epochs()) == [44, 45])
        changes = MapChanges()
        changes.policyRemovals = [key(subject: 2)]
        changes.subjectRemovals = [1]
        try shadow.apply(changes)
        #expect(epochs() == [46, 47])
        #expect(shadow.subjects.state(of: 1)?.defaultDeny == [true, true])
    }

    @Test func `a change that does not fit in one piece lays the trie out anew`() throws {
        let shadow = ShadowTables(capacity: .init(policyBuckets: 64, policyEntries: 64, ipcacheChunks: 2))
        var state = MapState()
        for host in 0..<5000 as Range<UInt32> {
            state.ipcache[CIDR(host: IPAddress(v4: 0x0a00_0000 | host * 8))] = NumericIdentity(rawValue: 256 + host)
        }
        try shadow.apply(MapState().changes(to: state))
        for host in 0..<5000 as Range<UInt32> {
            #expect(shadow.ipcache.find(IPAddress(v4: 0x0a00_0000 | host * 8))?.rawValue == 256 + host)
        }
    }

    private var value: PolicyValue {
        PolicyValue(enforced: PolicyVerdict(precedence: 100, rule: 16), all: PolicyVerdict(precedence: 100, rule: 16))
    }

    private func key(subject: UInt16) -> PolicyKey {
        PolicyKey(peer: .any, subject: subject, port: 80, proto: 6, direction: .ingress, prefixLength: 16)
    }

    private func mutate(_ state: inout MapState, _ random: inout SplitMix64) {
        let subject = UInt16.random(in: 0...5, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: if let prefix = state.ipcache.keys.randomElement(using: &random) { state.ipcache[prefix] = nil }
        case 1: if let key = state.policy.keys.randomElement(using: &random) { state.policy[key] = nil }
        case 2: state.subjects[subject] = .open
        case 3: state.policy[key(subject: .random(in: 0...200, using: &random))] = value
        default:
            state.ipcache[PrefixDistribution.pods.prefix(&random)] = NumericIdentity(
                rawValue: .random(in: 1...900, using: &random))
        }
    }
}

/// Stands for one bank of kernel memory.
private struct Bank {
    private var chunks: [KernelTable: [[UInt8]]] = [:]

    init(_ capacity: ShadowTables.Capacity) {
        for table in KernelTable.allCases {
            let count = table == .ipcache ? capacity.ipcacheChunks : 1
            chunks[table] = Array(
                repeating: Array(repeating: 0, count: ShadowTables.chunkBytes(of: table)), count: count)
        }
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer, _ write: TableWrite) {
        unsafe chunks[write.table]?[write.range.chunk].replaceSubrange(write.range.bytes, with: bytes)
    }

    func load(into shadow: ShadowTables) {
        for (table, list) in chunks {
            for (number, bytes) in list.enumerated() {
                unsafe bytes.withUnsafeBytes {
                    switch table {
                    case .policyHeads: unsafe shadow.policy.heads.load(chunk: number, from: $0)
                    case .policyEntries: unsafe shadow.policy.entries.load(chunk: number, from: $0)
                    case .ipcache: unsafe shadow.ipcache.units.load(chunk: number, from: $0)
                    case .subjects: unsafe shadow.subjects.entries.load(chunk: number, from: $0)
                    }
                }
            }
        }
    }
}
