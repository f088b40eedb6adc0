// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient

/// What a controller keeps of a policy: in which state it is, and what was said of it.
struct PolicyFacts: Hashable, Sendable {
    var uid: String
    var mark: DocumentMark
    /// As they stand in the object, of ours those that are there.
    var conditions: [PolicyCondition]

    init(uid: String, mark: DocumentMark, conditions: [PolicyCondition] = []) {
        self.uid = uid
        self.mark = mark
        self.conditions = conditions
    }

    /// Throws: the text is no JSON.
    init(_ object: RawObject, _ kind: ResourceKind) throws {
        self.init(uid: object.meta.uid ?? "", mark: DocumentMark(object, kind))
        guard kind.hasConditions else { return }
        let own = Set(PolicyCondition.Kind.allCases.map { $0.name(in: kind) })
        for entry in try object.view["status"]?["conditions"]?.elements ?? [] {
            guard let type = entry["type"]?.string, own.contains(type), let condition = PolicyCondition(entry) else {
                continue
            }
            conditions.append(condition)
        }
    }
}

/// A condition as it stands in the status of an object.
struct PolicyCondition: Hashable, Sendable {
    enum Kind: String, CaseIterable, Sendable {
        /// Whether nodes understand the policy.
        case accepted = "Accepted"
        /// Whether nodes do what it says.
        case inForce = "InForce"

        /// In the objects of others our name is in it: theirs may be called the same.
        func name(in kind: ResourceKind) -> String {
            kind.group == "bulkhead.dev" ? rawValue : "bulkhead.dev/\(rawValue)"
        }
    }

    enum Status: String, Sendable { case yes = "True", no = "False", unknown = "Unknown" }

    var type: String
    var status: Status
    /// In CamelCase, for machines.
    var reason: String
    /// For people.
    var message: String
    /// Nil: the kind has no place for it.
    var generation: Int?
    /// When the status became what it is, RFC 3339.
    var since = ""

    init(
        _ kind: Kind, in resource: ResourceKind, _ status: Status, _ reason: String, _ message: String, generation: Int
    ) {
        (type, self.status, self.reason, self.message) = (kind.name(in: resource), status, reason, message)
        // Cilium's conditions have no such field, and servers refuse fields that they do not know.
        self.generation = resource.group == "cilium.io" || generation == 0 ? nil : generation
    }

    /// Nil: it is of another form.
    init?(_ entry: JSONView) {
        guard let type = entry["type"]?.string, let status = entry["status"]?.string.flatMap(Status.init) else {
            return nil
        }
        (self.type, self.status) = (type, status)
        reason = entry["reason"]?.string ?? ""
        message = entry["message"]?.string ?? ""
        generation = entry["observedGeneration"]?.integer
        since = entry["lastTransitionTime"]?.string ?? ""
    }

    /// Whether it says the same, since whenever.
    func says(_ other: PolicyCondition) -> Bool {
        var copy = other
        copy.since = since
        return self == copy
    }

    /// Whether it decides alike of the same object, in whatever words.
    func decides(as other: PolicyCondition) -> Bool {
        type == other.type && status == other.status && reason == other.reason && generation == other.generation
    }

    var object: JSONValue {
        var object: JSONValue = [
            "type": .string(type), "status": .string(status.rawValue), "reason": .string(reason),
            "message": .string(message), "lastTransitionTime": .string(since),
        ]
        if let generation { object["observedGeneration"] = .integer(generation) }
        return object
    }
}
