// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import PolicyModel
import Testing

@testable import PolicyReading

@Suite struct PolicyLoggingTests {
    private func read(_ text: String) -> (policies: [Policy], errors: [String]) {
        let result = PolicyReader().read(text, file: "p.yaml")
        return (result.policies, result.diagnostics.map(\.message))
    }

    private func logging(_ spec: String) -> (policies: [Policy], errors: [String]) {
        read("apiVersion: bulkhead.dev/v1alpha1\nkind: PolicyLogging\nmetadata: {name: l}\nspec: \(spec)\n")
    }

    private func annotated(_ annotations: String) -> (policies: [Policy], errors: [String]) {
        read(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
                + "metadata: {name: p, namespace: shop, annotations: \(annotations)}\nspec: {podSelector: {}}\n")
    }

    @Test func `a document says which verdicts are logged, of whom, and how many`() {
        let whole = logging(
            "{verdicts: [deny, audit], policies: annotated, namespaces: [shop, lab], podLabels: {app: web}, linesPerSecond: 7}"
        )
        #expect(whole.errors == [])
        #expect(
            whole.policies.first?.logSelection
                == LogSelection(
                    dispositions: [.deny, .audit], isOfAnnotatedOnly: true, namespaces: ["shop", "lab"],
                    workloads: LabelSelector([.equal(source: LabelSource.any, key: "app", value: "web")]),
                    linesPerSecond: 7))
        let least = logging("{verdicts: [allow]}").policies.first
        #expect(least?.logSelection == LogSelection(dispositions: [.allow]))
        #expect(least?.rules.isEmpty == true && least?.defaultDeny.isEmpty == true)
        #expect(
            least?.text == "PolicyLogging/l\n  logs allow of all policies, at most 500 lines a second")
    }

    @Test(arguments: [
        "{}", "{verdicts: []}", "{verdicts: [drop]}", "{verdicts: deny}", "{verdicts: [deny], policies: some}",
        "{verdicts: [deny], namespaces: []}", "{verdicts: [deny], namespaces: [Shop]}",
        "{verdicts: [deny], linesPerSecond: 0}", "{verdicts: [deny], linesPerSecond: 100001}",
        "{verdicts: [deny], podLabels: [a]}", "{verdicts: [deny], more: 1}",
    ]) func `what cannot be meant is refused whole`(spec: String) {
        let result = logging(spec)
        #expect(result.policies.isEmpty && result.errors.count == 1, "\(result.errors)")
    }

    @Test(arguments: [
        (#"{bulkhead.dev/log: "true"}"#, true), (#"{bulkhead.dev/log: "false"}"#, false), ("{}", false),
        (#"{policy.network.gke.io/enable-logging: "true"}"#, true),
        (#"{policy.network.gke.io/enable-logging: "no"}"#, false),
        ("{policy.network.gke.io/enable-logging: [a]}", false),
        (#"{policy.network.gke.io/enable-logging: "true", bulkhead.dev/log: "false"}"#, true),
    ]) func `an annotation has a policy's verdicts logged`(annotations: String, isLogged: Bool) {
        let result = annotated(annotations)
        #expect(result.policies.first?.isLogged == isLogged && result.errors == [])
    }

    @Test(arguments: ["yes", "true", "\"True\""]) func `an annotation of ours says true or false`(value: String) {
        let result = annotated("{bulkhead.dev/log: \(value)}")
        #expect(result.policies.isEmpty && result.errors.count == 1, "\(result.errors)")
    }
}
