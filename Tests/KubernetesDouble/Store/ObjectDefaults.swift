// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// What the real server adds to objects on their way into the store.
enum ObjectDefaults {
    /// Completes metadata: identity and creation time, unless the object says them itself, from the previous state; a
    /// generation that grows with the spec; the label by which namespaces are found.
    static func complete(_ object: inout JSON, of definition: ResourceDefinition, previous: JSON?) {
        object["metadata", "uid"] =
            object["metadata", "uid"] ?? previous?["metadata", "uid"] ?? .string(UUID().uuidString.lowercased())
        object["metadata", "creationTimestamp"] =
            object["metadata", "creationTimestamp"] ?? previous?["metadata", "creationTimestamp"] ?? .string(now())
        if object["spec"] != nil {
            let generation = previous?["metadata", "generation"]?.integer ?? 0
            let isSame = previous?["spec"] == object["spec"] && previous != nil
            object["metadata", "generation"] = JSON(integerLiteral: isSame ? max(generation, 1) : generation + 1)
        }
        if definition.name == .namespaces {
            object["metadata", "labels", "kubernetes.io/metadata.name"] = object["metadata", "name"]
            if object["spec"] == nil { object["spec"] = ["finalizers": ["kubernetes"]] }
            if object["status"] == nil { object["status"] = ["phase": "Active"] }
        }
        if definition.name == .pods, object["status"] == nil {
            object["status"] = ["phase": "Pending", "qosClass": "BestEffort"]
        }
    }

    /// The time as the server writes it in metadata: UTC, whole seconds.
    static func now(plus seconds: Double = 0) -> String {
        Date(timeIntervalSinceNow: seconds).formatted(.iso8601)
    }
}
