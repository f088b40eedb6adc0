// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import NetworkModel

/// Keeps programs on a workload's links whatever the workload does inside.
///
/// Who is root in a namespace can move its end of a link into a namespace of its own, or change addresses so fast that
/// they cannot be read. None of this may take the programs off: a link stays the workload's as long as the workload is
/// named, the host has the link, and no other workload is found behind it; with it stay the addresses last granted.
///
/// Pure; what the host has and what was before are given.
struct StickyEnforcement {
    /// What each workload had, by key.
    let previous: [String: Workload]
    /// The host's links by index; nil if they are not known: then none counts as gone.
    let links: [Int32: NetworkLink]?

    /// The workloads with the links that they keep.
    func apply(to reported: [String: Workload]) -> [String: Workload] {
        var holders: [UInt32: String] = [:]
        var result = reported
        let keys = reported.keys.sorted()
        for key in keys {
            let interfaces = reported[key]?.interfaces ?? []
            let held = interfaces.filter { hold($0, key, &holders) }
            if held.count < interfaces.count { result[key]?.interfaces = held }
        }
        for key in keys {
            guard var workload = result[key] else { continue }
            if workload.interfaces.count != reported[key]?.interfaces.count {
                let others = Set(reported[key]?.interfaces.compactMap { holders[$0.index] } ?? []).subtracting([key])
                let names = others.compactMap { reported[$0]?.name }.sorted().joined(separator: ", ")
                workload.concerns.append("an interface of it is \(names)'s already: name each interface once")
            }
            let isKept = keep(&workload, holders)
            if isKept || workload.concerns.count != result[key]?.concerns.count { result[key] = workload }
        }
        return result
    }

    /// False if the interface is another's.
    private func hold(_ interface: Workload.Interface, _ key: String, _ holders: inout [UInt32: String]) -> Bool {
        if let holder = holders[interface.index], interface.index != 0 { return holder == key }
        holders[interface.index] = key
        return true
    }

    /// False if the workload is as it was reported.
    private func keep(_ workload: inout Workload, _ holders: [UInt32: String]) -> Bool {
        let old = previous[workload.key].flatMap { workload.place != nil && $0.place == workload.place ? $0 : nil }
        let kept = (old?.interfaces ?? []).filter { $0.index != 0 && holders[$0.index] == nil }.compactMap(present)
        if !kept.isEmpty { workload.interfaces += kept }
        guard !workload.interfaces.isEmpty, !kept.isEmpty || workload.readProblem != nil else { return false }
        let names = kept.map(\.name).joined(separator: ", ")
        var concern =
            workload.readProblem ?? workload.problem.map { "\(names) does not lead into it any more: \($0)" }
            ?? "\(names) does not lead into it any more"
        if let old, !old.addresses.isEmpty {
            let declared = workload.addresses.subtracting(workload.readAddresses)
            // What was read of a whole table is true, though some of it may be missing now.
            let read = workload.readProblem == nil ? workload.readAddresses : []
            workload.readAddresses = old.readAddresses.union(read).subtracting(declared)
            workload.addresses = declared.union(workload.readAddresses)
            concern += "; it stays enforced, with the addresses last known"
        } else {
            concern += "; it is enforced, with the addresses that could be read"
        }
        workload.problem = nil
        workload.concerns.append(concern)
        return true
    }

    /// The interface under its name of today; nil if the host has it no more.
    private func present(_ interface: Workload.Interface) -> Workload.Interface? {
        guard let links else { return interface }
        return links[Int32(bitPattern: interface.index)].map { .init(name: $0.name, index: interface.index) }
    }
}
