// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import ControlAPI

enum CNIRendering {
    static func networkLines(_ networks: [NetworkReport]) -> [String] {
        var table = TextTable(["NETWORK", "FILE", "PLUGINS", "BULKHEAD", "SETTINGS"])
        for network in networks {
            table.add([
                network.network ?? "", network.file, network.plugins.joined(separator: " > "),
                network.installed ? "installed" : "", network.problem ?? network.settings ?? "",
            ])
        }
        return table.lines(none: "no networks")
    }

    static func attachmentLines(_ attachments: [AttachmentRecord]) -> [String] {
        var table = TextTable(["CONTAINER", "INTERFACE", "NETWORK", "HOST", "POD", "STATE", "ENDPOINT", "WHY"])
        for attachment in attachments {
            table.add([
                String(attachment.containerID.prefix(12)), attachment.interface, attachment.network,
                attachment.hostInterface, attachment.pod ?? "", attachment.state.text, attachment.endpoint ?? "",
                attachment.message ?? "",
            ])
        }
        return table.lines(none: "no attachments")
    }
}

extension AttachmentState {
    fileprivate var text: String { self == .inForce ? "in force" : rawValue }
}
