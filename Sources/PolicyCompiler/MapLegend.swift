// SPDX-License-Identifier: Apache-2.0

package import IdentityModel

/// Which numbers the lines of a state or of a difference use, and what they stand for.
package struct MapLegend: Hashable, Sendable {
    private var subjects: Set<UInt16>
    private var identities: Set<NumericIdentity>

    /// Of everything in a state; a subject that is open both ways has no line.
    package init(_ state: MapState) {
        let closed = state.subjects.filter { $0.value.defaultDenyAll.contains(true) }.keys
        subjects = Set((closed + state.policy.keys.map(\.subject)).map(SubjectStage.subject))
        identities = Set(state.policy.keys.map(\.peer)).union(state.ipcache.values)
    }

    /// Of what changes.
    package init(_ changes: MapChanges) {
        let keys = changes.policyRemovals + changes.policySettings.map(\.key)
        let slots = keys.map(\.subject) + changes.subjectRemovals + changes.subjectSettings.keys
        subjects = Set(slots.map(SubjectStage.subject))
        identities = Set(keys.map(\.peer)).union(changes.mappingSettings.map(\.identity))
    }

    /// Sorted lines: `subject 3 is k8s:app=web`, `identity 257 is k8s:app=db`, `identity 50331648 is *.example.org`,
    /// `identity 16777216 is node:io.kubernetes.node.name=n1`; reserved identities go by name already.
    package func lines(
        subjects known: [CompileSubject], identities records: [ResolvedIdentity], names: NameWording
    ) -> [String] {
        let first = known.filter { subjects.contains($0.slot) }.sorted { $0.slot < $1.slot }
            .map { "subject \($0.slot) is \($0.labels)" }
        let second = records.filter { record in
            identities.contains(record.identity) && !reservedIdentities.contains { $0.identity == record.identity }
        }
        return first
            + second.sorted { $0.identity < $1.identity }.map { record in
                let prefix = record.prefix.map { record.isWorkload ? " in \($0)" : " at \($0)" } ?? ""
                // What prefixes of groups have in common are these; the rest is the world.
                let labels =
                    record.isWorkload || record.prefix != nil || record.groups.isEmpty ? [record.labels] : record.groups
                let what = record.name.map(names.text) ?? labels.map(\.description).joined(separator: " and ")
                return "identity \(record.identity.rawValue) is \(what)\(prefix)"
            }
    }
}
