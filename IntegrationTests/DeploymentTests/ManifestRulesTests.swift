// SPDX-License-Identifier: Apache-2.0

import Testing

/// The rules find what is wrong: an overlay in which they find nothing would prove little otherwise.
@Suite struct ManifestRulesTests {
    private static let whole = """
        {kind: Namespace, metadata: {name: n}}
        ---
        {kind: ServiceAccount, metadata: {name: a, namespace: n}}
        ---
        {kind: ConfigMap, metadata: {name: c, namespace: n}}
        ---
        {kind: ClusterRole, metadata: {name: r}}
        ---
        kind: ClusterRoleBinding
        metadata: {name: b}
        roleRef: {kind: ClusterRole, name: r}
        subjects: [{kind: ServiceAccount, name: a, namespace: n}]
        ---
        kind: DaemonSet
        metadata: {name: d, namespace: n}
        spec:
          selector: {matchLabels: {app: x}}
          template:
            metadata: {labels: {app: x}}
            spec:
              serviceAccountName: a
              volumes: [{name: v, configMap: {name: c}}]
              containers:
                - name: k
                  volumeMounts: [{name: v, mountPath: /v}]
                  securityContext:
                    readOnlyRootFilesystem: true
                    capabilities: {drop: [ALL], add: [BPF]}

        """

    private func findings(_ text: String) throws -> [String] {
        let manifests = try Manifest.read(text)
        return ManifestRules.danglingReferences(manifests) + ManifestRules.strangers(manifests)
            + ManifestRules.excessiveRights(manifests, capabilities: ["BPF"])
    }

    @Test func `nothing is wrong with a whole one`() throws {
        #expect(try findings(Self.whole) == [])
    }

    @Test(arguments: [
        ("{kind: Namespace, metadata: {name: n}}", "ConfigMap/c: no Namespace/n"),
        ("{kind: ServiceAccount, metadata: {name: a, namespace: n}}", "DaemonSet/d: no ServiceAccount/a"),
        ("{kind: ConfigMap, metadata: {name: c, namespace: n}}", "DaemonSet/d: no ConfigMap/c"),
        ("{kind: ClusterRole, metadata: {name: r}}", "ClusterRoleBinding/b: no ClusterRole/r"),
    ])
    func `what is missing is found where it is named`(object: String, finding: String) throws {
        #expect(try findings(Self.whole.replacing(object, with: "{kind: Other}")).contains(finding))
    }

    @Test(arguments: [
        ("app: x}}\n  template", "app: y}}\n  template", "DaemonSet/d: its pods lack the label app of its selector"),
        ("[{name: v, mountPath: /v}]", "[]", "DaemonSet/d: nobody mounts volume v"),
        ("[{name: v, mountPath: /v}]", "[{name: w}]", "DaemonSet/d: no volume w"),
        ("add: [BPF]", "add: [BPF, SYS_MODULE]", "DaemonSet/d k: capability SYS_MODULE"),
        ("drop: [ALL], ", "", "DaemonSet/d k: does not drop ALL capabilities"),
        ("readOnlyRootFilesystem: true", "privileged: true", "DaemonSet/d k: privileged"),
        ("readOnlyRootFilesystem: true", "privileged: false", "DaemonSet/d k: writable root"),
    ])
    func `what is wrong inside a workload is found`(old: String, new: String, finding: String) throws {
        let text = Self.whole.replacing(old, with: new)
        #expect(text != Self.whole)
        #expect(try findings(text).contains(finding))
    }
}
