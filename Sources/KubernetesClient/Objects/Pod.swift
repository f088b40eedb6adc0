// SPDX-License-Identifier: Apache-2.0

/// As much of a pod as is used; what an object lacks, or has as null, is nil.
package struct Pod: Decodable, Hashable, Sendable {
    package struct Spec: Decodable, Hashable, Sendable {
        package var nodeName: String?
        package var hostNetwork: Bool?
        package var serviceAccountName: String?
        package var containers: [Container]?
        package var initContainers: [Container]?
    }

    package struct Container: Decodable, Hashable, Sendable {
        package var name: String?
        package var image: String?
        package var ports: [Port]?
        /// `Always`: of an init container that runs beside the others (a sidecar).
        package var restartPolicy: String?
    }

    package struct Port: Decodable, Hashable, Sendable {
        package var name: String?
        package var containerPort: Int?
        package var hostPort: Int?
        /// `TCP` if there is none.
        package var `protocol`: String?
    }

    package struct Status: Decodable, Hashable, Sendable {
        package struct Address: Decodable, Hashable, Sendable {
            package var ip: String?
        }

        /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`, or what a newer server says.
        package var phase: String?
        package var podIP: String?
        package var podIPs: [Address]?
        package var hostIP: String?
    }

    package var metadata: ObjectMeta
    package var spec: Spec?
    package var status: Status?
}

/// As much of an object as tells which it is, whatever its kind.
package struct PartialObject: Decodable, Hashable, Sendable {
    package var metadata: ObjectMeta
}
