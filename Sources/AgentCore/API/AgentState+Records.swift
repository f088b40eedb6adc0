// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityAllocation
import IdentityModel
import KernelDatapath
import Logging
import NetworkModel
import PolicyCompiler
import PolicyModel

extension AgentState {
    func endpoints() async throws(APIError) -> [EndpointRecord] {
        engine.input.workloads.values.compactMap(record).sorted { $0.id < $1.id }
    }

    func endpoint(_ id: String) async throws(APIError) -> EndpointRecord {
        guard let record = record(try known(id)) else { throw noEndpoint(id) }
        return record
    }

    func identities() async throws(APIError) -> [ControlAPI.IdentityRecord] {
        let names = Dictionary(grouping: engine.input.workloads.values) { workload in
            engine.allocator.assignments[workload.key]?.identity ?? .unmanaged
        }
        return engine.allocator.records.values.sorted { $0.identity < $1.identity }.map { record in
            let number = record.identity.rawValue
            return ControlAPI.IdentityRecord(
                id: number,
                scope: number < NumericIdentity.workloadRange.lowerBound
                    ? "reserved" : NumericIdentity.localRange.contains(number) ? "local" : "workload",
                labels: record.labels.labels.map(\.description), prefix: record.prefix?.description,
                endpoints: (names[record.identity] ?? []).map(\.name).sorted())
        }
    }

    /// By number, key, name, or namespace and name as plans and tests write it.
    func workload(_ id: String) -> Workload? {
        if let number = UInt32(id), let key = endpointNumbers.assigned.first(where: { $0.value == number })?.key {
            return engine.input.workloads[key]
        }
        let workloads = engine.input.workloads
        return workloads[id] ?? workloads.values.first { $0.name == id } ?? workloads.values.first { $0.fullName == id }
    }

    func known(_ id: String) throws(APIError) -> Workload {
        guard let workload = workload(id) else { throw noEndpoint(id) }
        return workload
    }

    private func noEndpoint(_ id: String) -> APIError {
        APIError(.notFound, "no endpoint \"\(id)\": `bulkhead endpoint list` shows numbers and names")
    }

    private func record(_ workload: Workload) -> EndpointRecord? {
        guard let number = endpointNumbers.assigned[workload.key],
            let assignment = engine.allocator.assignments[workload.key]
        else { return nil }
        let isAttached = isAttached(workload)
        let problem = workload.problem ?? endpointProblems[workload.key]
        let texts = [problem].compactMap { $0 } + workload.concerns
        return EndpointRecord(
            id: UInt16(number), name: workload.name, source: workload.source,
            condition: isAttached && problem == nil ? .enforced : .pending, identity: assignment.identity.rawValue,
            labels: workload.labels.labels.map(\.description),
            addresses: workload.addresses.sorted().map(\.description),
            interface: workload.interfaces.map(\.name).joined(separator: ","),
            interfaceIndex: workload.interfaces.first?.index ?? 0,
            ingress: enforcement(workload, .ingress), egress: enforcement(workload, .egress),
            audit: isAudited(workload), details: workload.details,
            problem: !texts.isEmpty
                ? texts.joined(separator: "; ")
                : isAttached ? nil : missing(workload))
    }

    func isAttached(_ workload: Workload) -> Bool {
        workload.isService ? isInForce(workload) : workload.interfaces.contains { attachments[$0.index] != nil }
    }

    private func missing(_ workload: Workload) -> String {
        workload.isService ? "not running: it has no cgroup" : "not attached: it has no interface on this host"
    }

    /// Whether policies close a direction for a workload.
    private func enforcement(_ workload: Workload, _ direction: Direction) -> EndpointRecord.Enforcement {
        var isAudited = false
        for policy in engine.input.policies.values {
            for effect in policy.defaultDeny where effect.direction == direction && effect.subject.selects(workload) {
                if !policy.isAudit { return .defaultDeny }
                isAudited = true
            }
        }
        return isAudited ? .audit : .open
    }
}

extension SubjectSelector {
    /// True if policies with this selector speak for the workload.
    func selects(_ workload: Workload) -> Bool {
        switch self {
        case .endpoints(let selector): !workload.isHost && selector.matches(workload.labels)
        case .hosts(let selector): workload.isHost && selector.matches(workload.labels)
        case .stage: false
        }
    }

    /// True if policies with this selector say anything about the workload's traffic: those about a stage of the host
    /// about the host's.
    func concerns(_ workload: Workload) -> Bool {
        guard case .stage(_, let selector) = self else { return selects(workload) }
        return workload.isHost && !workload.isService && selector.matches(workload.labels)
    }
}
