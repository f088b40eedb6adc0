// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import NetworkModel

/// What changed between two settled states.
package struct IdentityChanges: Hashable, Sendable {
    package var recordRemovals: [NumericIdentity] = []
    package var recordSettings: [ResolvedIdentity] = []
    package var mappingRemovals: [CIDR] = []
    package var mappingSettings: [CIDR: NumericIdentity] = [:]
    /// Subjects whose slots are nobody's now, as they were.
    package var subjectRemovals: [IdentityAllocator.Subject] = []
    package var subjectSettings: [IdentityAllocator.Subject] = []
    /// Names that nobody uses any more, with the numbers they had.
    package var nameRemovals: [NameSelector: NumericIdentity] = [:]
    package var nameSettings: [NameSelector: NumericIdentity] = [:]

    package init() {}
}

/// A range of numbers is used up.
///
/// Nothing has been changed.
package enum IdentityError: Error, Hashable, Sendable, CustomStringConvertible {
    case workloadsExhausted
    case localsExhausted
    case subjectsExhausted
    case namesExhausted
    case patternsExhausted(DomainName)

    package var description: String {
        switch self {
        case .workloadsExhausted:
            "cannot give another label set an identity: all \(NumericIdentity.workloadRange.count) numbers are in use; "
                + "leave labels that differ for every workload out of identities (label filter)"
        case .localsExhausted:
            "cannot give another prefix an identity: all \(NumericIdentity.prefixRange.count) numbers are in use; "
                + "use fewer prefixes in policies"
        case .namesExhausted:
            "cannot give another DNS name a number: all \(NumericIdentity.nameRange.count) are in use; "
                + "use patterns instead of single names"
        case .patternsExhausted(let name):
            "cannot look for another pattern of DNS names with a `*` inside that ends in \(name): policies name "
                + "\(NameGlob.countMax) of them; use wider patterns, or `*.` and `**.` before a name"
        case .subjectsExhausted:
            "cannot add another policy subject: all \(IdentityAllocator.subjectRange.count) are in use; "
                + "leave labels that differ for every workload out of identities (label filter)"
        }
    }
}
