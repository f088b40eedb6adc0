// SPDX-License-Identifier: Apache-2.0

/// Decides which labels of a workload make up its identity: labels that differ for every container would give every
/// container an identity, and a policy table row, of its own.
///
/// Of the rules whose prefix fits, the longest decides; of equally long ones the later. A label that no rule fits is
/// kept, unless the user gave an including rule: then only what is included stays. Reserved labels, labels of the
/// workloads file and the namespace labels are always kept.
package struct LabelFilter: Hashable, Sendable {
    /// Includes or excludes the labels whose key starts with a prefix.
    package struct Rule: Hashable, Sendable, CustomStringConvertible {
        package let isIncluding: Bool
        /// `any` speaks for every source.
        package let source: String
        package let keyPrefix: String

        package init(isIncluding: Bool, source: String = LabelSource.any, keyPrefix: String) {
            self.isIncluding = isIncluding
            self.source = source
            self.keyPrefix = keyPrefix
        }

        /// Reads `[!][source:]prefix`; `!` excludes, and an empty prefix after a source means every label of it.
        package static func parse(_ text: String) throws(LabelSyntaxError) -> Rule {
            let isExcluding = text.hasPrefix("!")
            let (source, prefix) = LabelSource.split(isExcluding ? String(text.dropFirst()) : text)
            guard source.map(LabelSource.isValid) ?? true else {
                throw LabelSyntaxError("a label source is lower-case letters, digits and hyphens")
            }
            guard source != nil || !prefix.isEmpty else { throw LabelSyntaxError("the rule names no label") }
            guard !prefix.contains(where: { $0.isWhitespace || $0 == "=" || $0 == "," }) else {
                throw LabelSyntaxError("a rule is about keys: `[!][source:]prefix`, no value and no space")
            }
            return Rule(isIncluding: !isExcluding, source: source ?? LabelSource.any, keyPrefix: prefix)
        }

        package var description: String {
            (isIncluding ? "" : "!") + (source == LabelSource.any ? "" : "\(source):") + keyPrefix
        }

        func fits(_ label: Label) -> Bool {
            (source == LabelSource.any || source == label.source) && label.key.hasPrefix(keyPrefix)
        }
    }

    package let rules: [Rule]
    private let keepsOthers: Bool

    /// The default rules with the user's after them.
    package init(_ rules: [Rule] = []) {
        self.rules = LabelFilter.defaultRules + rules
        self.keepsOthers = !rules.contains(where: \.isIncluding)
    }

    /// Exactly these rules, without the default ones.
    package init(only rules: [Rule]) {
        self.rules = rules
        self.keepsOthers = !rules.contains(where: \.isIncluding)
    }

    /// True if the label is part of the identity.
    package func keeps(_ label: Label) -> Bool {
        guard !LabelFilter.isAlwaysKept(label) else { return true }
        var decision: Rule?
        for rule in rules where rule.fits(label) && rule.keyPrefix.utf8.count >= decision?.keyPrefix.utf8.count ?? 0 {
            decision = rule
        }
        return decision?.isIncluding ?? keepsOthers
    }

    /// The labels that make up the identity.
    package func identityLabels(of labels: some Sequence<Label>) -> LabelSet {
        LabelSet(labels.filter(keeps))
    }

    private static func isAlwaysKept(_ label: Label) -> Bool {
        switch label.source {
        case LabelSource.reserved, LabelSource.workload, LabelSource.cidr: true
        case LabelSource.kubernetes:
            label.key == WellKnownLabel.namespace || label.key.hasPrefix(WellKnownLabel.namespaceLabelPrefix)
        default: false
        }
    }
}

extension LabelFilter {
    /// What podman, Docker, compose, image builders and Kubernetes controllers add to every container and that says
    /// which instance, build or file it is, not what it is for.
    package static let defaultRules: [Rule] =
        [
            // Image metadata.
            "org.opencontainers.image.", "org.label-schema.", "org.opensuse.", "com.redhat.", "io.openshift.",
            "io.k8s.", "io.buildah.", "maintainer", "build-date", "vcs-", "description", "summary", "url",
            // Engines and compose: instance numbers, hashes, paths. `com.docker.compose.project` and `.service` stay.
            "io.podman.annotations.", "io.podman.compose.config-hash", "io.podman.compose.version",
            "PODMAN_SYSTEMD_UNIT", "com.docker.compose.config-hash", "com.docker.compose.container-number",
            "com.docker.compose.depends_on", "com.docker.compose.image", "com.docker.compose.oneoff",
            "com.docker.compose.replace", "com.docker.compose.version", "com.docker.compose.project.",
            "com.docker.compose.slug", "desktop.docker.io/", "com.docker.swarm.task", "com.docker.swarm.node.",
        ].map { Rule(isIncluding: false, source: LabelSource.container, keyPrefix: $0) }
        + [
            // Kubernetes controllers.
            "io.kubernetes.", "kubernetes.io/", "k8s.io/", "annotation.", "pod-template-hash",
            "pod-template-generation", "controller-revision-hash", "controller-uid", "batch.kubernetes.io/",
            "statefulset.kubernetes.io/", "apps.kubernetes.io/",
        ].map { Rule(isIncluding: false, keyPrefix: $0) }
}
