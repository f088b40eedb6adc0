// SPDX-License-Identifier: Apache-2.0

import ContainerRuntimes
import Glibc
import IdentityModel
import KernelDatapath
import NetworkModel

/// Hands the workloads of a container engine to the agent.
struct ContainerSource: Sendable {
    static let podman = "podman"
    static let docker = "docker"

    let source: any WorkloadSource
    /// Where the engine answers.
    let location: String
    let filter: LabelFilter
    let state: AgentState

    /// Runs until cancelled.
    func run() async {
        var known: [String: ContainerRuntimes.Workload] = [:]
        var hasSnapshot = false
        var message = "waiting"
        for await change in source.changes() {
            switch change {
            case .snapshot(let workloads):
                known = Dictionary(workloads.map { ($0.id, $0) }) { first, _ in first }
                hasSnapshot = true
            case .upsert(let workload): known[workload.id] = workload
            case .removed(let id): known[id] = nil
            case .status(let status): message = status.message
            }
            let workloads = known.values.sorted { $0.id < $1.id }.map(adapt)
            // Before the first snapshot nothing is known: what was remembered stands.
            await state.update(
                source: source.name, workloads: hasSnapshot ? workloads : nil, state: message, location: location)
        }
    }

    func adapt(_ found: ContainerRuntimes.Workload) -> Workload {
        let ports = found.namedPorts.map {
            (IdentityModel.NamedPort(proto: $0.transport, name: $0.name), Set([$0.port]))
        }
        var details = ["id": found.id]
        details["image"] = found.image
        details["pid"] = found.pid.map { String($0) }
        // Link-local addresses are the workload's own too: it speaks from them to its neighbours.
        let inside = Set(found.interfaces.flatMap { $0.addresses + $0.linkLocalAddresses })
        let declared = Set(found.engineAddresses)
        return Workload(
            key: found.id, name: found.name, source: source.name, labels: filter.identityLabels(of: found.labels),
            addresses: inside.union(declared), readAddresses: inside.subtracting(declared),
            interfaces: found.interfaces.map { interface in
                .init(name: deviceName(interface.hostIndex) ?? interface.name, index: UInt32(interface.hostIndex))
            },
            namedPorts: NamedPorts(Dictionary(ports) { $0.union($1) }),
            options: found.isSourceChecked ? [] : [.noSourceCheck], details: details, problem: found.problem,
            place: found.id, readProblem: found.readProblem)
    }
}

/// The name of a device of this host; nil: there is none of that number.
func deviceName(_ index: Int32) -> String? {
    var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
    let isFound = unsafe name.withUnsafeMutableBufferPointer { buffer in
        unsafe buffer.baseAddress.flatMap { unsafe if_indextoname(UInt32(index), $0) } != nil
    }
    return isFound ? String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
}
