// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The SSH session out of which a change is asked for: the one way to the host that must not be cut by mistake.
package struct AdministrationSession: Hashable, Sendable {
    /// Where the person sits.
    package var client: IPAddress
    /// The port of this host that the session came in by.
    package var port: UInt16

    package init(client: IPAddress, port: UInt16) {
        self.client = client
        self.port = port
    }

    /// Reads what sshd(8) leaves in `SSH_CONNECTION`: client address and port, server address and port.
    ///
    /// Nil if it is anything else.
    package init?(sshConnection text: String) {
        let words = text.split(separator: " ")
        // A link-local client comes with its zone: fe80::1%eth0.
        guard words.count == 4, let address = words[0].split(separator: "%").first,
            let client = IPAddress(String(address)), let port = UInt16(words[3])
        else { return nil }
        self.init(client: client, port: port)
    }

    /// The session a process belongs to; nil if it is none of SSH's.
    ///
    /// sudo(8) takes the variable away, so the process's ancestors are asked too; `environment` gives the environment of
    /// a process and the number of its parent.
    package init?(of process: Int32, _ environment: (Int32) -> (variables: [String], parent: Int32)?) {
        var next = process
        for _ in 0..<32 where next > 1 {
            guard let found = environment(next) else { return nil }
            let name = "SSH_CONNECTION="
            if let variable = found.variables.first(where: { $0.hasPrefix(name) }) {
                self.init(sshConnection: String(variable.dropFirst(name.count)))
                return
            }
            next = found.parent
        }
        return nil
    }

    /// As a query item: `2222 10.0.0.5`.
    var item: String { "\(port) \(client)" }

    init?(item: String) {
        let words = item.split(separator: " ")
        guard words.count == 2, let port = UInt16(words[0]), let client = IPAddress(String(words[1])) else {
            return nil
        }
        self.init(client: client, port: port)
    }
}
