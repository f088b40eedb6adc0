// SPDX-License-Identifier: Apache-2.0

/// The defence of listeners against forged SYNs, in the report of the shield.
///
/// Counts begin with the agent's start.
package struct SynDefenceReport: Codable, Hashable, Sendable {
    /// Where it stands: a device of the host, or a workload.
    package struct Place: Codable, Hashable, Sendable {
        package var name: String
        package var isWorkload: Bool
        /// Where SYNs to listeners behind this device are answered: `xdp`, `tcx`, or nowhere.
        package var front: String?
        /// What the network namespace's settings take from it, now.
        package var limits: [String] = []
        /// Why it is not there.
        package var problem: String?

        package init(name: String, isWorkload: Bool, limits: [String] = [], problem: String? = nil) {
            self.name = name
            self.isWorkload = isWorkload
            self.limits = limits
            self.problem = problem
        }
    }

    /// A listener that was under load, or that cannot be defended.
    package struct Listener: Codable, Hashable, Sendable {
        package var address: String
        package var port: UInt16
        package var isDefended: Bool
        /// How often it came to that.
        package var engagements: UInt32
        /// Why it is not defended.
        package var obstacles: [String]

        package init(address: String, port: UInt16, isDefended: Bool, engagements: UInt32, obstacles: [String]) {
            self.address = address
            self.port = port
            self.isDefended = isDefended
            self.engagements = engagements
            self.obstacles = obstacles
        }
    }

    /// A port of the host behind which a listener in another network namespace was under load (address translation).
    package struct Published: Codable, Hashable, Sendable {
        package var address: String
        package var port: UInt16
        /// The listener.
        package var target: String
        package var targetPort: UInt16
        /// Why no front answers for it.
        package var problem: String?

        package init(address: String, port: UInt16, target: String, targetPort: UInt16, problem: String?) {
            self.address = address
            self.port = port
            self.target = target
            self.targetPort = targetPort
            self.problem = problem
        }
    }

    /// Servers on other machines that are defended.
    package struct Behind: Codable, Hashable, Sendable {
        package var network: String
        package var ports: [UInt16]

        package init(network: String, ports: [UInt16]) {
            self.network = network
            self.ports = ports
        }
    }

    /// `off` (single ports only), `auto` or `always`.
    package var mode: String
    /// False where the kernel's own cookies are used, which lose options (before Linux 6.9).
    package var hasOwnCookies: Bool
    package var places: [Place] = []
    package var listeners: [Listener] = []
    package var published: [Published] = []
    package var behind: [Behind] = []
    /// Cookies that became connections to other machines, whose numbers are translated.
    package var openedBehind: UInt64 = 0
    /// SYNs that got a cookie.
    package var answered: UInt64 = 0
    /// Those of them that a front answered.
    package var answeredAhead: UInt64 = 0
    /// Cookies that became connections.
    package var accepted: UInt64 = 0
    /// Valid cookies that the stack did not take, or that were too old.
    package var refused: UInt64 = 0
    package var stale: UInt64 = 0
    /// SYNs dropped because the application does not accept what waits.
    package var queueFull: UInt64 = 0
    /// SYNs to defended listeners that the stack had to answer.
    package var left: UInt64 = 0
    package var problems: [String] = []

    package init(mode: String, hasOwnCookies: Bool) {
        self.mode = mode
        self.hasOwnCookies = hasOwnCookies
    }
}
