// SPDX-License-Identifier: Apache-2.0

/// Which interface of which container.
package struct AttachmentName: Codable, Hashable, Sendable {
    package var containerID: String
    /// Inside the container.
    package var interface: String

    package init(containerID: String, interface: String) {
        self.containerID = containerID
        self.interface = interface
    }

    package var json: JSONValue { .object(["containerID": .string(containerID), "interface": .string(interface)]) }
}

/// What the agent is told of an attachment: the body of `POST /v1/attachments`.
package struct AttachmentRequest: Codable, Hashable, Sendable {
    package var containerID: String
    /// Inside the container.
    package var interface: String
    /// The file of its network namespace.
    package var namespacePath: String
    /// Name of the list.
    package var network: String
    /// Devices outside the container as other plugins name them; for people, the agent asks the kernel.
    package var hostInterfaces: [String]
    /// Without prefix lengths.
    package var addresses: [String]
    package var podNamespace: String?
    package var podName: String?
    package var podUID: String?
    package var labels: [String: String]
    /// It is the workload: no source will say who it is.
    package var isWorkload: Bool
    /// How long to wait until its policy is in force.
    package var waitMilliseconds: Int

    package init(
        containerID: String, interface: String, namespacePath: String, network: String = "",
        hostInterfaces: [String] = [], addresses: [String] = [], podNamespace: String? = nil, podName: String? = nil,
        podUID: String? = nil, labels: [String: String] = [:], isWorkload: Bool = false, waitMilliseconds: Int = 0
    ) {
        self.containerID = containerID
        self.interface = interface
        self.namespacePath = namespacePath
        self.network = network
        self.hostInterfaces = hostInterfaces
        self.addresses = addresses
        self.podNamespace = podNamespace
        self.podName = podName
        self.podUID = podUID
        self.labels = labels
        self.isWorkload = isWorkload
        self.waitMilliseconds = waitMilliseconds
    }

    package var name: AttachmentName { AttachmentName(containerID: containerID, interface: interface) }
}

extension AttachmentRequest {
    init(_ invocation: Invocation, _ configuration: PluginConfiguration, _ previous: PluginResult) {
        let (arguments, settings) = (invocation.arguments, configuration.settings)
        self.init(
            containerID: invocation.containerID, interface: invocation.interface,
            namespacePath: invocation.namespacePath, network: configuration.network,
            hostInterfaces: previous.hostInterfaces, addresses: previous.addresses(of: invocation.interface),
            podNamespace: arguments["K8S_POD_NAMESPACE"], podName: arguments["K8S_POD_NAME"],
            podUID: arguments["K8S_POD_UID"], labels: configuration.callerLabels.merging(settings.labels) { $1 },
            isWorkload: settings.workload == .attachment, waitMilliseconds: settings.seconds * 1000)
    }

    /// As it is coded where there is a coder.
    package var json: JSONValue {
        var object: JSONObject = [
            "containerID": .string(containerID), "interface": .string(interface),
            "namespacePath": .string(namespacePath), "network": .string(network),
            "hostInterfaces": .strings(hostInterfaces), "addresses": .strings(addresses),
        ]
        for (key, value) in [("podNamespace", podNamespace), ("podName", podName), ("podUID", podUID)] {
            object[key] = value.map { .string($0) }
        }
        let members = labels.sorted { $0.key < $1.key }.map { JSONObject.Member($0.key, .string($0.value)) }
        object["labels"] = .object(JSONObject(members))
        object["isWorkload"] = .boolean(isWorkload)
        object["waitMilliseconds"] = .integer(waitMilliseconds)
        return .object(object)
    }
}

/// A change that waits for an agent which is down: a file of the pending directory, by attachment.
package enum PendingChange: Codable, Hashable, Sendable {
    case add(AttachmentRequest)
    case delete(AttachmentName)

    package var name: AttachmentName {
        switch self {
        case .add(let request): request.name
        case .delete(let name): name
        }
    }

    /// As it is coded where there is a coder.
    package var json: JSONValue {
        switch self {
        case .add(let request): .object(["add": .object(["_0": request.json])])
        case .delete(let name): .object(["delete": .object(["_0": name.json])])
        }
    }
}

/// The attachments of a network that still exist: the body of `POST /v1/attachments/collect`.
package struct AttachmentCollection: Codable, Hashable, Sendable {
    /// Name of the list; attachments of others stay.
    package var network: String
    package var valid: [AttachmentName]

    package init(network: String, valid: [AttachmentName]) {
        self.network = network
        self.valid = valid
    }

    package var json: JSONValue {
        .object(["network": .string(network), "valid": .array(valid.map(\.json))])
    }
}
