// SPDX-License-Identifier: Apache-2.0

/// Families that belong together, for the page of the reference.
package struct MetricGroup: Sendable {
    package let title: String
    /// What holds for all of them; empty: nothing.
    package let note: String
    package let metrics: [Metric]
}

/// Every family that the agent may tell; what is not in here is not told.
package enum MetricCatalogue {
    /// In the order of the page and of the exposition.
    package static let groups: [MetricGroup] = [
        Metric.datapathGroup, Metric.flowsGroup, Metric.policiesGroup, Metric.clusterGroup, Metric.threatsGroup,
        Metric.agentGroup,
    ]

    /// In the same order.
    package static let all: [Metric] = groups.flatMap(\.metrics)
}
