// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// A failsafe port: one of the host that no policy closes.
package struct OpenPort: Hashable, Sendable {
    package var direction: Direction
    package var proto: IPProtocol
    /// The local one of what reaches the host, the remote one of what it sends.
    package var port: UInt16

    package init(direction: Direction, proto: IPProtocol, port: UInt16) {
        self.direction = direction
        self.proto = proto
        self.port = port
    }
}

extension Explanation.Side {
    /// Corrects what the policies say at a port that none of them closes.
    mutating func keepOpen() {
        guard verdict != .allow else { return }
        verdict = .allow
        cause = .builtin("failsafe")
        for index in findings.indices where findings[index].outcome == .decides { findings[index].outcome = .matches }
    }
}
