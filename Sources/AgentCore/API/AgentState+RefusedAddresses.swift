// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import IdentityAllocation
import NetworkModel

extension AgentState {
    /// Addresses that workloads of other hosts were written with and do not have: of those of this host each is told with
    /// its workload.
    ///
    /// A problem if a workload of this host has the address: somebody claims what is not his. Else a note: a list of a whole
    /// cluster names what runs in the hosts' own networks too, several under each host's address, and nobody can mend that.
    func refusedAddresses() -> (problems: [ProblemReport], notes: [ProblemReport]) {
        let refused = engine.allocator.refusedAddresses
        let claimed = refused.filter { $0.owner.map { engine.input.workloads[$0] != nil } ?? false }
        let shared = refused.filter { $0.owner.map { engine.input.workloads[$0] == nil } ?? true }
        return (
            report(
                claimed,
                "addresses of this host's workloads are claimed; rules mean their owners: name each address once"),
            report(shared, "these share an address; rules mean only who has it:")
        )
    }

    private func report(_ refused: [IdentityAllocator.RefusedAddress], _ heading: String) -> [ProblemReport] {
        guard !refused.isEmpty else { return [] }
        let byAddress = Dictionary(grouping: refused, by: \.address).sorted { $0.key < $1.key }
        let told = byAddress.prefix(AgentState.refusedAddressesToldMax).map { address, refusals in
            let names = refusals.map { RemoteWorkload.name(ofKey: $0.name) }
            let rest = names.count - AgentState.refusedNamesToldMax
            let owner = refusals[0].owner.map { key in
                "\(engine.input.workloads[key]?.name ?? RemoteWorkload.name(ofKey: key))'s"
            }
            return "\(address) of \(names.prefix(AgentState.refusedNamesToldMax).joined(separator: ", "))"
                + (rest > 0 ? " and \(rest) more" : "") + ": it is \(owner ?? "the host's own")"
        }
        let more = byAddress.count - told.count
        let message = ([heading] + told + (more > 0 ? ["and \(more) more addresses"] : [])).joined(separator: "\n")
        let subject = "workloads of other hosts"
        // Which they are changes all the time; that there are some does not.
        return [ProblemReport(subject: subject, message: message, since: firstSeen(subject + heading, ""))]
    }

    private static let refusedAddressesToldMax = 10
    private static let refusedNamesToldMax = 3
}
