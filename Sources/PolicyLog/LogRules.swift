// SPDX-License-Identifier: Apache-2.0

import EventModel
package import FlowAggregation
import IdentityModel
package import PolicyModel

/// What is to be logged: selections that add up, and the policies that want it themselves.
package struct LogRules: Sendable {
    /// By a name that tells them apart: of the document, or of the configuration.
    package private(set) var selections: [String: LogSelection]
    private var annotated: Set<PolicyReference> = []

    package init(_ selections: [String: LogSelection] = [:]) { self.selections = selections }

    /// A policy came into force, or is another one now; nil: it is gone.
    package mutating func set(_ reference: PolicyReference, _ policy: Policy?) {
        if policy?.isLogged == true { annotated.insert(reference) } else { annotated.remove(reference) }
        selections[reference.text] = policy?.logSelection
    }

    /// Names of the selections that want a flow; what goes on of an allowed one is no verdict of its own.
    package func selections(of flow: Flow) -> [String] {
        guard !selections.isEmpty, let disposition = flow.disposition else { return [] }
        return selections.compactMap { name, selection in
            isWanted(flow, disposition, by: selection) ? name : nil
        }
    }

    /// True if some selection wants a flow.
    package func isWanted(_ flow: Flow) -> Bool {
        guard !selections.isEmpty, let disposition = flow.disposition else { return false }
        return selections.values.contains { isWanted(flow, disposition, by: $0) }
    }

    private func isWanted(_ flow: Flow, _ disposition: LogSelection.Disposition, by selection: LogSelection) -> Bool {
        guard selection.dispositions.contains(disposition) else { return false }
        if selection.isOfAnnotatedOnly {
            guard !annotated.isEmpty, flow.rule?.policies.contains(where: annotated.contains) == true else {
                return false
            }
        }
        if !selection.namespaces.isEmpty {
            guard let namespace = flow.identity?.namespace, selection.namespaces.contains(namespace) else {
                return false
            }
        }
        guard let workloads = selection.workloads else { return true }
        return flow.identity.map { workloads.matches($0.labels) } ?? false
    }
}

extension Flow {
    /// What was decided with this packet; nil: it belongs to what was decided before.
    package var disposition: LogSelection.Disposition? {
        switch (event.verdict, event.state) {
        case (.deny, _): .deny
        case (.allow, .new), (.allow, .untracked), (.redirect, .new), (.redirect, .untracked): .allow
        case (.audit, .new), (.audit, .untracked): .audit
        default: nil
        }
    }
}

extension ResolvedIdentity {
    /// Of a workload; nil: it has none.
    var namespace: String? { labels.value(source: LabelSource.kubernetes, key: WellKnownLabel.namespace) }
}
