// SPDX-License-Identifier: Apache-2.0

/// As much of a pod as is used; what an object lacks, or has as null, is nil.
package struct Pod: Hashable, Sendable {
    package struct Spec: Hashable, Sendable {
        package var nodeName: String?
        package var hostNetwork: Bool?
        package var serviceAccountName: String?
        package var containers: [Container]?
        package var initContainers: [Container]?
    }

    package struct Container: Hashable, Sendable {
        package var name: String?
        package var image: String?
        package var ports: [Port]?
        /// `Always`: of an init container that runs beside the others (a sidecar).
        package var restartPolicy: String?
    }

    package struct Port: Hashable, Sendable {
        package var name: String?
        package var containerPort: Int?
        package var hostPort: Int?
        /// `TCP` if there is none.
        package var `protocol`: String?
    }

    package struct Status: Hashable, Sendable {
        package struct Address: Hashable, Sendable {
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

extension Pod {
    /// Reads a pod; what is of another type than it should be counts as absent.
    /// - Throws: if the text is not JSON.
    package init(_ object: RawObject) throws(JSONError) {
        let view = try object.view
        metadata = object.meta
        spec = view["spec"].map(Spec.init)
        status = view["status"].map(Status.init)
    }
}

extension Pod.Spec {
    fileprivate init(_ spec: JSONView) {
        nodeName = spec["nodeName"]?.string
        hostNetwork = spec["hostNetwork"]?.boolean
        serviceAccountName = spec["serviceAccountName"]?.string
        containers = spec["containers"]?.elements.map(Pod.Container.init)
        initContainers = spec["initContainers"]?.elements.map(Pod.Container.init)
    }
}

extension Pod.Container {
    fileprivate init(_ container: JSONView) {
        name = container["name"]?.string
        image = container["image"]?.string
        ports = container["ports"]?.elements.map(Pod.Port.init)
        restartPolicy = container["restartPolicy"]?.string
    }
}

extension Pod.Port {
    fileprivate init(_ port: JSONView) {
        name = port["name"]?.string
        containerPort = port["containerPort"]?.integer
        hostPort = port["hostPort"]?.integer
        `protocol` = port["protocol"]?.string
    }
}

extension Pod.Status {
    fileprivate init(_ status: JSONView) {
        phase = status["phase"]?.string
        podIP = status["podIP"]?.string
        podIPs = status["podIPs"]?.elements.map { Address(ip: $0["ip"]?.string) }
        hostIP = status["hostIP"]?.string
    }
}
