// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel

/// Short ways to write rules in tests.
extension LabelSelector {
    /// `app in (name)`.
    static func app(_ name: String) -> LabelSelector {
        LabelSelector([LabelRequirement(source: "k8s", key: "app", .isIn([name]))])
    }
}

extension LabelSet {
    static func app(_ name: String) -> LabelSet { LabelSet([Label(source: "k8s", key: "app", value: name)]) }
}

extension Policy {
    /// A policy for one application that closes the directions of its rules.
    static func test(
        _ name: String, for app: String, isAudit: Bool = false, closes: [Direction] = [.ingress],
        rules: [(Direction, RuleAction, PeerSelection, PortSelection)]
    ) -> Policy {
        let reference = PolicyReference(kind: "CiliumNetworkPolicy", namespace: "shop", name: name)
        let location = SourceLocation(file: "\(name).yaml", line: 1, column: 1)
        let subject = SubjectSelector.endpoints(.app(app))
        return Policy(
            reference: reference, source: location,
            rules: rules.enumerated().map { index, rule in
                PolicyRule(
                    origin: RuleOrigin(
                        policy: reference, section: "\(rule.0)", index: index,
                        source: SourceLocation(file: "\(name).yaml", line: 10 + index, column: 3)),
                    subject: subject, direction: rule.0, action: rule.1, peers: rule.2, ports: rule.3, isAudit: isAudit)
            }, defaultDeny: closes.map { DefaultDeny(subject: subject, direction: $0) }, isAudit: isAudit)
    }
}

extension CompileInput {
    /// Two applications: `api` (identity 1001, subject 1) and `web` (identity 1002, subject 2), and a prefix.
    static func shop(_ policies: [Policy], apiPorts: NamedPorts = NamedPorts()) -> CompileInput {
        let api = NumericIdentity(rawValue: 1001)
        let web = NumericIdentity(rawValue: 1002)
        return CompileInput(
            subjects: [
                CompileSubject(slot: 1, identity: api, labels: .app("api"), namedPorts: apiPorts),
                CompileSubject(slot: 2, identity: web, labels: .app("web")),
            ],
            peers: [
                ResolvedIdentity(identity: api, labels: .app("api"), isWorkload: true, namedPorts: apiPorts),
                ResolvedIdentity(identity: web, labels: .app("web"), isWorkload: true),
                ResolvedIdentity(
                    identity: NumericIdentity(rawValue: 0x0100_0000),
                    labels: LabelSet([Label(source: "reserved", key: "world")]),
                    prefix: CIDR(IPAddress(v4: 0xc000_0200), length: 24)),
            ], policies: policies)
    }
}
