// SPDX-License-Identifier: Apache-2.0

/// What a runtime asks, by the environment.
package struct Invocation: Hashable, Sendable {
    package enum Command: String, Sendable, CaseIterable {
        case add = "ADD"
        case delete = "DEL"
        case check = "CHECK"
        case collect = "GC"
        case status = "STATUS"
        case version = "VERSION"

        fileprivate var namesAttachment: Bool { [.add, .delete, .check].contains(self) }
        fileprivate var needsNamespace: Bool { [.add, .check].contains(self) }
    }

    package var command: Command
    package var containerID = ""
    /// The file of the network namespace; empty where it may be gone.
    package var namespacePath = ""
    package var interface = ""
    /// `CNI_ARGS`: whatever keys there are.
    package var arguments: [String: String] = [:]

    /// Reads what the command needs and nothing else: podman asks VERSION with `dummy` everywhere.
    package init(environment: [String: String]) throws(CNIError) {
        guard let text = environment["CNI_COMMAND"], !text.isEmpty else {
            throw CNIError(
                .badEnvironment, "CNI_COMMAND is not set: container runtimes call this program",
                details: "see docs/reference/cni.md")
        }
        guard let command = Command(rawValue: text) else {
            throw CNIError(.badEnvironment, "CNI_COMMAND is \"\(text)\": not a command of the specification")
        }
        self.command = command
        guard command.namesAttachment else { return }
        containerID = try Self.value("CNI_CONTAINERID", environment)
        guard Self.isContainerID(containerID) else {
            throw CNIError(.badEnvironment, "CNI_CONTAINERID is no container's id: letters, digits and _.-")
        }
        interface = try Self.value("CNI_IFNAME", environment)
        guard Self.isInterfaceName(interface) else {
            throw CNIError(.badEnvironment, "CNI_IFNAME is no name of an interface")
        }
        namespacePath = environment["CNI_NETNS"] ?? ""
        if command.needsNamespace { namespacePath = try Self.value("CNI_NETNS", environment) }
        arguments = Self.pairs(environment["CNI_ARGS"] ?? "")
    }

    private static func value(_ name: String, _ environment: [String: String]) throws(CNIError) -> String {
        guard let value = environment[name], !value.isEmpty else {
            throw CNIError(.badEnvironment, "\(name) is not set")
        }
        return value
    }

    /// What is no pair is passed over: others' keys are none of our business.
    private static func pairs(_ text: String) -> [String: String] {
        text.split(separator: ";").reduce(into: [:]) { pairs, piece in
            let parts = piece.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, !parts[0].isEmpty { pairs[String(parts[0])] = String(parts[1]) }
        }
    }

    static func isContainerID(_ text: String) -> Bool {
        guard text.utf8.count <= 1024, let first = text.utf8.first, isLetterOrDigit(first) else { return false }
        return text.utf8.allSatisfy { isLetterOrDigit($0) || [0x5f, 0x2e, 0x2d].contains($0) }
    }

    /// As the kernel has it: at most 15 bytes, none of them a slash, a colon or white space.
    static func isInterfaceName(_ text: String) -> Bool {
        (1...15).contains(text.utf8.count) && text != "." && text != ".."
            && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != 0x2f && $0 != 0x3a }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }
}

extension AttachmentName {
    /// Both are what a runtime may call them.
    package var isValid: Bool { Invocation.isContainerID(containerID) && Invocation.isInterfaceName(interface) }
}
