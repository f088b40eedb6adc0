// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel
package import PolicyModel

/// Expectations about policies as code: a made-up cluster, the policies in force in it, and probes with the verdicts
/// their author expects (`kind: PolicyTest`, `bulkhead.dev/v1alpha1`).
package struct PolicyTest: Hashable, Sendable {
    package var name: String
    package var location: SourceLocation
    package var workloads: [Workload]
    /// In force together.
    package var policies: [PolicySource]
    package var probes: [Probe]
    /// What DNS has told every workload: the addresses of names.
    package var names: [DomainName: [IPAddress]]
    /// Seconds since 1970: policies whose time is over then are not in force; nil: the moment of the run.
    package var now: Int64?

    /// A pod, container or machine of the test.
    package struct Workload: Hashable, Sendable {
        /// `namespace/name`.
        package var key: String
        /// The namespace's own labels included.
        package var labels: LabelSet
        package var addresses: [IPAddress]
        /// Empty: one node for all that name none.
        package var node: String
        /// Uses the node's own addresses and identity; its labels are not looked at.
        package var isHostNetwork: Bool
        package var ports: NamedPorts
    }

    /// Where policies of a test come from.
    package enum PolicySource: Hashable, Sendable {
        /// Path relative to the test's own file, and where the test names it.
        case file(String, SourceLocation)
        case inline([Policy])
    }

    /// One first packet and what is to become of it.
    package struct Probe: Hashable, Sendable {
        package var location: SourceLocation
        package var source: End
        package var destination: End
        /// The host that it passes through, as an index in `workloads`; nil: none that has a say.
        package var through: Int?
        package var proto: IPProtocol
        /// Destination port; ICMP: the type in the high byte, the code in the low one.
        package var port: UInt16
        package var expectation: Expectation
        /// The rule or policy that must be named as the cause.
        package var rule: String?
        /// `shop/web-1 -> pay/api-1 tcp/8080`.
        package var text: String
    }

    /// One side of a probe.
    package struct End: Hashable, Sendable {
        /// Index in `workloads`; nil: an address outside the test's cluster.
        package var workload: Int?
        package var address: IPAddress
    }

    package enum Expectation: String, Hashable, Sendable, CaseIterable {
        case allow
        case deny
        /// Allowed, but policies in audit mode would deny it; such a packet also meets `allow`.
        case audit
    }
}

/// What a file of tests holds: the tests without errors, and everything there is to say about the file.
package struct PolicyTestSet: Hashable, Sendable {
    /// In the order of the file.
    package var tests: [PolicyTest]
    package var diagnostics: [Diagnostic]

    package var hasErrors: Bool { diagnostics.hasErrors }
}
