// SPDX-License-Identifier: Apache-2.0

import LinuxHost

/// Why a workload cannot be attached, in words for its user.
struct WorkloadProblem: Error, Hashable, Sendable {
    let text: String

    init(_ text: String) { self.text = text }

    /// None of the interfaces has its other end on the host.
    static func noLink(_ interfaces: [NamespaceInterface]) -> WorkloadProblem {
        guard let first = interfaces.first else {
            return WorkloadProblem("it has no network interface, so there is nothing to police")
        }
        let name = first.link.name
        switch first.link.kind {
        case "tun":
            return WorkloadProblem(
                "\(name) is a tap device of a process (slirp4netns, pasta): its packets leave as that process's own; "
                    + "use a bridge network")
        case "veth":
            return WorkloadProblem(
                "the other end of \(name) is in another network namespace; run the agent in that one")
        case let kind:
            return WorkloadProblem(
                "\(name) is a \(kind ?? "physical") device without an end of its own on the host; use a bridge network")
        }
    }
}
