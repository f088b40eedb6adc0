// SPDX-License-Identifier: Apache-2.0

/// Who leads, as a Lease of `coordination.k8s.io` says it.
package struct Lease: Hashable, Sendable {
    /// Empty: nobody.
    package var holder: String
    /// How long after its last renewal it is the holder's.
    package var seconds: Int
    /// RFC 3339 with microseconds.
    package var acquiredAt: String
    package var renewedAt: String
    package var transitions: Int
    /// As it was read; empty: it is to be created.
    package var resourceVersion: String

    package init(holder: String, seconds: Int, at time: String) {
        self.holder = holder
        self.seconds = seconds
        (acquiredAt, renewedAt) = (time, time)
        transitions = 0
        resourceVersion = ""
    }

    /// Reads a lease; what it does not say is empty.
    package init(_ object: RawObject) {
        let spec = (try? object.view)?["spec"]
        holder = spec?["holderIdentity"]?.string ?? ""
        seconds = spec?["leaseDurationSeconds"]?.integer ?? 0
        acquiredAt = spec?["acquireTime"]?.string ?? ""
        renewedAt = spec?["renewTime"]?.string ?? ""
        transitions = spec?["leaseTransitions"]?.integer ?? 0
        resourceVersion = object.meta.resourceVersion ?? ""
    }

    /// The object to be written.
    func object(_ key: ObjectKey) -> JSONValue {
        var metadata: JSONValue = ["name": .string(key.name), "namespace": .string(key.namespace)]
        if !resourceVersion.isEmpty { metadata["resourceVersion"] = .string(resourceVersion) }
        return [
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata,
            "spec": [
                "holderIdentity": .string(holder), "leaseDurationSeconds": .integer(seconds),
                "acquireTime": .string(acquiredAt), "renewTime": .string(renewedAt),
                "leaseTransitions": .integer(transitions),
            ],
        ]
    }
}
