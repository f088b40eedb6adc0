// SPDX-License-Identifier: Apache-2.0

import KernelDatapath
import LinuxHost
import Logging

extension AgentState {
    /// The host's links, addresses or routes changed.
    func update(network: HostNetwork) {
        guard network != self.network else { return }
        self.network = network
        let addresses = Set(HostSource.addresses(network.snapshot)).sorted()
        let before = (workloads, hostAddresses)
        hostAddresses = addresses
        publishHost()
        settleFleetHosts()
        grantWorkloads()
        guard before.0 != workloads || before.1 != addresses || !unsettled.policies.isEmpty else { return }
        unsettled.areWorkloadsTouched = true
        let isOnlyLinkLocal = Set(before.1).symmetricDifference(addresses).allSatisfy(\.isLinkLocal)
        if before.0 == workloads, isOnlyLinkLocal { reconcileLater() } else { reconcile() }
    }

    /// Brings in what is no reason for a commit of its own, with the next one or after a second.
    ///
    /// The link of every workload brings the host a link-local address some time after: a commit for each would keep the
    /// next workload waiting until no packet uses what was before it.
    private func reconcileLater() {
        guard !isReconcileDue else { return }
        isReconcileDue = true
        Task {
            try? await Task.sleep(for: .seconds(1))
            isReconcileDue = false
            if unsettled.areWorkloadsTouched { reconcile() }
        }
    }

    /// Works out what each workload has: the links it cannot get rid of, the addresses that are its own.
    func grantWorkloads() {
        let sticky = StickyEnforcement(previous: workloads, links: network?.links)
        let claims = AddressClaims(network: network, previous: workloads)
        let reported = sticky.apply(to: reportedWorkloads())
        let attached = reported.merging(unclaimedAttachments(beside: reported)) { known, _ in known }
        let granted = claims.grant(to: attached.merging(unclaimedNewcomers(beside: attached)) { known, _ in known })
        for workload in granted.values where !workload.concerns.isEmpty {
            guard workload.concerns != workloads[workload.key]?.concerns else { continue }
            logger.warning(
                "\(workload.concerns.joined(separator: "; "))", metadata: ["endpoint": "\(workload.name)"])
        }
        workloads = granted
    }

    /// Sources whose workloads count only where no other source names the interface.
    private static let areForUnnamed: Set<String> = [NewcomerSource.name, Attachment.source]

    /// What the sources say, by key, with names that differ.
    private func reportedWorkloads() -> [String: Workload] {
        var reported: [String: Workload] = [:]
        var names: Set<String> = []
        for (_, source) in sources.sorted(by: { $0.key < $1.key }) {
            for var workload in source.workloads where !Self.areForUnnamed.contains(workload.source) {
                if !names.insert(workload.name).inserted {
                    workload.name = "\(workload.source)/\(workload.name)"
                    if !names.insert(workload.name).inserted { workload.name = workload.key }
                }
                reported[workload.key] = workload
            }
        }
        return reported
    }

    /// Interfaces on watched bridges that no workload has; none before all sources have reported.
    private func unclaimedNewcomers(beside workloads: [String: Workload]) -> [String: Workload] {
        guard let newcomers = sources[NewcomerSource.name]?.workloads, areSourcesComplete else { return [:] }
        let claimed = Set(workloads.values.flatMap(\.interfaces).map(\.index))
        let unclaimed = newcomers.filter { newcomer in !newcomer.interfaces.contains { claimed.contains($0.index) } }
        return Dictionary(unclaimed.map { ($0.key, $0) }) { first, _ in first }
    }
}
