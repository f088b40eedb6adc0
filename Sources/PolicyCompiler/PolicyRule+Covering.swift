// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import NetworkModel
import PolicyModel

extension PolicyRule {
    /// True if this rule speaks of all traffic that `other` speaks of, in the verdict that counts.
    ///
    /// Cautious: each part of `other` must lie within one part of this rule.
    func covers(_ other: PolicyRule) -> Bool {
        direction == other.direction && (!isAudit || other.isAudit)
            && subject.covers(other.subject) && ports.covers(other.ports) && peers.covers(other.peers)
    }
}

extension SubjectSelector {
    fileprivate func covers(_ other: SubjectSelector) -> Bool {
        kind == other.kind && labels.covers(other.labels)
    }
}

extension PeerSelection {
    /// What it names; empty for any.
    var selectors: [PeerSelector] {
        if case .some(let selectors) = self { return selectors }
        return []
    }

    /// False if nobody can be meant by its own words, which has a finding of its own: an empty list, or selectors that
    /// contradict themselves.
    var mayExist: Bool { self == .any || selectors.contains { $0.labels?.isSatisfiable ?? true } }

    fileprivate func covers(_ other: PeerSelection) -> Bool {
        switch (self, other) {
        case (.any, _): true
        case (.some, .any): false
        // What selects nothing has a finding of its own.
        case (.some(let mine), .some(let theirs)):
            // Long lists of prefixes are not worth the time: said to be different.
            !theirs.isEmpty && mine.count * theirs.count <= 250_000
                && theirs.allSatisfy { their in mine.contains { $0.covers(their) } }
        }
    }
}

extension PeerSelector {
    fileprivate func covers(_ other: PeerSelector) -> Bool {
        switch (self, other) {
        case (_, .narrowed(let theirs, _)) where self != other: return covers(theirs)
        case (.labels(let mine), .labels(let theirs)), (.group(let mine), .group(let theirs)),
            (.groupNames(let mine), .groupNames(let theirs)):
            return mine.covers(theirs)
        case (.prefix(let mine, let gaps, let withWorkloads), .prefix(let theirs, let theirGaps, let theirWorkloads)):
            guard mine.contains(theirs), withWorkloads || !theirWorkloads else { return false }
            let excluded = PrefixSet(theirGaps)
            return gaps.allSatisfy { gap in !gap.overlaps(theirs) || excluded.contains(gap) }
        default: return self == other
        }
    }
}

extension PortSelection {
    fileprivate func covers(_ other: PortSelection) -> Bool {
        switch (self, other) {
        case (.all, _): true
        case (.some, .all): false
        case (.some(let mine), .some(let theirs)):
            !theirs.isEmpty && theirs.allSatisfy { their in mine.contains { $0.covers(their) } }
        }
    }
}

extension PortMatch {
    fileprivate func covers(_ other: PortMatch) -> Bool {
        switch (self, other) {
        case (.range(let mine, let ports), .range(let theirs, let others)):
            mine == theirs && ports.contains(others.lowerBound) && ports.contains(others.upperBound)
        case (.range(let mine, let ports), .named(let theirs, _)): mine == theirs && ports == 0...65535
        case (.icmpType(let mine, let type), .icmpType(let theirs, let other)):
            mine == theirs && (type == nil || type == other)
        default: self == other
        }
    }
}
