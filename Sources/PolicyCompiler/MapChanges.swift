// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel

/// What turns one map state into another.
///
/// Removals and settings never name the same key; order carries no meaning.
package struct MapChanges: Hashable, Sendable {
    /// One policy entry to write.
    package struct PolicySetting: Hashable, Sendable {
        package var key: PolicyKey
        package var value: PolicyValue

        package init(key: PolicyKey, value: PolicyValue) {
            self.key = key
            self.value = value
        }
    }

    /// One ipcache mapping to write.
    package struct MappingSetting: Hashable, Sendable {
        package var prefix: CIDR
        package var identity: NumericIdentity

        package init(prefix: CIDR, identity: NumericIdentity) {
            self.prefix = prefix
            self.identity = identity
        }
    }

    package var policyRemovals: [PolicyKey] = []
    package var policySettings: [PolicySetting] = []
    package var subjectRemovals: [UInt16] = []
    package var subjectSettings: [UInt16: SubjectState] = [:]
    package var mappingRemovals: [CIDR] = []
    package var mappingSettings: [MappingSetting] = []
    package var ruleRemovals: [UInt32] = []
    package var ruleSettings: [UInt32: RuleDescription] = [:]

    package init() {}

    /// True if applying it changes nothing.
    package var isEmpty: Bool {
        policyRemovals.isEmpty && policySettings.isEmpty && subjectRemovals.isEmpty && subjectSettings.isEmpty
            && mappingRemovals.isEmpty && mappingSettings.isEmpty && ruleRemovals.isEmpty && ruleSettings.isEmpty
    }
}

extension MapState {
    /// What must change in `self` to become `other`.
    package func changes(to other: MapState) -> MapChanges {
        var changes = MapChanges()
        changes.policyRemovals = policy.keys.filter { other.policy[$0] == nil }
        for (key, value) in other.policy where policy[key] != value {
            changes.policySettings.append(.init(key: key, value: value))
        }
        changes.subjectRemovals = subjects.keys.filter { other.subjects[$0] == nil }
        changes.subjectSettings = other.subjects.filter { subjects[$0.key] != $0.value }
        changes.mappingRemovals = ipcache.keys.filter { other.ipcache[$0] == nil }
        for (prefix, identity) in other.ipcache where ipcache[prefix] != identity {
            changes.mappingSettings.append(.init(prefix: prefix, identity: identity))
        }
        changes.ruleRemovals = rules.keys.filter { other.rules[$0] == nil }
        changes.ruleSettings = other.rules.filter { rules[$0.key] != $0.value }
        return changes
    }

    /// Carries out changes.
    package mutating func apply(_ changes: MapChanges) {
        for key in changes.policyRemovals { policy[key] = nil }
        for setting in changes.policySettings { policy[setting.key] = setting.value }
        for subject in changes.subjectRemovals { subjects[subject] = nil }
        subjects.merge(changes.subjectSettings) { $1 }
        for prefix in changes.mappingRemovals { ipcache[prefix] = nil }
        for setting in changes.mappingSettings { ipcache[setting.prefix] = setting.identity }
        for slot in changes.ruleRemovals { rules[slot] = nil }
        rules.merge(changes.ruleSettings) { $1 }
    }
}
