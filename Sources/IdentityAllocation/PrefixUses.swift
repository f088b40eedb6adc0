// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel

/// How often policies use each prefix, and the innermost prefix around an address.
struct PrefixUses: Sendable {
    private struct Count {
        var all = 0
        var withWorkloads = 0
    }

    private var counts: [CIDR: Count] = [:]
    /// Number of workload-including prefixes of each length: lengths without any need no lookup.
    private var lengths4 = [Int](repeating: 0, count: 33)
    private var lengths6 = [Int](repeating: 0, count: 129)
    private var sorted = SortedPrefixes()
    /// What was added and removed since a change began; nil: none has.
    private var steps: [(prefix: CIDR, includesWorkloads: Bool, isAddition: Bool)]?

    func contains(_ prefix: CIDR) -> Bool { counts[prefix] != nil }

    /// The longest prefix around another one, itself included.
    func around(_ prefix: CIDR) -> CIDR? {
        for length in (0...prefix.length).reversed() {
            let candidate = CIDR(prefix.address, length: length)
            if counts[candidate] != nil { return candidate }
        }
        return nil
    }

    /// Prefixes in use inside a prefix, itself included.
    func inside(_ prefix: CIDR) -> [CIDR] { sorted.inside(prefix) }

    mutating func revise(_ revision: TableRevision) {
        let past = steps ?? []
        steps = revision == .begin ? [] : nil
        guard revision == .revert else { return }
        for step in past.reversed() {
            if step.isAddition {
                _ = remove(step.prefix, includesWorkloads: step.includesWorkloads)
            } else {
                _ = add(step.prefix, includesWorkloads: step.includesWorkloads)
            }
        }
    }

    /// True if this changed which prefixes include workloads.
    mutating func add(_ prefix: CIDR, includesWorkloads: Bool) -> Bool {
        steps?.append((prefix, includesWorkloads, true))
        counts[prefix, default: Count()].all += 1
        if counts[prefix]?.all == 1 { sorted.insert(prefix) }
        guard includesWorkloads else { return false }
        counts[prefix, default: Count()].withWorkloads += 1
        guard counts[prefix]?.withWorkloads == 1 else { return false }
        count(prefix, 1)
        return true
    }

    /// True if this changed which prefixes include workloads.
    mutating func remove(_ prefix: CIDR, includesWorkloads: Bool) -> Bool {
        guard var left = counts[prefix] else { return false }
        steps?.append((prefix, includesWorkloads, false))
        left.all -= 1
        if left.all == 0 { sorted.remove(prefix) }
        if includesWorkloads { left.withWorkloads -= 1 }
        counts[prefix] = left.all > 0 ? left : nil
        guard includesWorkloads, left.withWorkloads == 0 else { return false }
        count(prefix, -1)
        return true
    }

    /// The longest workload-including prefix around an address.
    func innermost(_ address: IPAddress) -> CIDR? {
        let lengths = address.isIPv4 ? lengths4 : lengths6
        for length in lengths.indices.reversed() where lengths[length] > 0 {
            let candidate = CIDR(address, length: length)
            if counts[candidate]?.withWorkloads ?? 0 > 0 { return candidate }
        }
        return nil
    }

    private mutating func count(_ prefix: CIDR, _ change: Int) {
        if prefix.isIPv4 { lengths4[prefix.length] += change } else { lengths6[prefix.length] += change }
    }
}
