// SPDX-License-Identifier: Apache-2.0

package import IdentityModel
package import KernelDatapath
import LinuxHost
package import Logging
import NetworkModel

/// Everything an operator may choose; defaults, then the file, then the flags.
package struct AgentConfiguration: Sendable {
    /// The host itself as an endpoint.
    package struct HostEndpoint: Hashable, Sendable {
        package var isEnabled = false
        /// Devices whose traffic to and from the host is judged; empty: every physical device with a default route.
        package var devices: [String] = []
        /// Labels besides `reserved:host`.
        package var labels: [Label] = []
        /// Ports that stay open whatever the policy says.
        package var failsafes: Set<FailsafePort> = HostEndpoint.defaultFailsafes

        /// Processes that are judged by themselves.
        var services: [HostService] = []

        package init() {}

        /// SSH and the DHCP client in; DNS, DHCP and NTP out.
        package static let defaultFailsafes: Set<FailsafePort> = [
            FailsafePort(port: 22, proto: .tcp, direction: .ingress),
            FailsafePort(port: 68, proto: .udp, direction: .ingress),
            FailsafePort(port: 546, proto: .udp, direction: .ingress),
            FailsafePort(port: 53, proto: .udp, direction: .egress),
            FailsafePort(port: 53, proto: .tcp, direction: .egress),
            FailsafePort(port: 67, proto: .udp, direction: .egress),
            FailsafePort(port: 547, proto: .udp, direction: .egress),
            FailsafePort(port: 123, proto: .udp, direction: .egress),
        ]
    }

    package var policyDirectory = "/etc/bulkhead/policies"
    package var workloadsFile = "/etc/bulkhead/workloads.yaml"
    package var stateDirectory = "/var/lib/bulkhead"
    package var runDirectory = "/run/bulkhead"
    /// Directory on a BPF file system for pins; the ABI version is appended.
    package var bpfDirectory = PinDirectory.defaultRoot
    /// Empty: podman is not asked.
    package var podmanSocket = "/run/podman/podman.sock"
    /// Empty: Docker is not asked.
    package var dockerSocket = "/run/docker.sock"
    /// Name or number of the group that may change things through the API; empty: only root.
    package var apiGroup = "bulkhead"
    package var isAudit = false
    package var isDryRun = false
    package var hostEndpoint = HostEndpoint()
    /// By which documents mean this host; empty: as the kernel has it.
    package var nodeName = ""
    /// Bridges on which a new veth is closed until a source says whose it is.
    package var startClosed: [String] = []
    /// Which labels make up identities; after the default rules.
    package var labelRules: [LabelFilter.Rule] = []
    /// Flows kept in memory.
    package var flowCapacity = 16_384
    package var settings = DatapathSettings()
    /// Whose DNS answers count and how long; without resolvers rules by name allow nothing.
    package var names = NameSettings()
    /// Smaller than what the datapath allows: the kernel takes the memory of a table whether it is used or not.
    package var sizes = DatapathSizes(ipcacheChunks: 8, eventBytes: 8 << 20)
    package var sweepInterval: Duration = .seconds(10)
    /// How much of the history of applied policies is kept.
    var historyLimits = PolicyHistory.Limits()
    /// Whether the host reaches its workloads unless a rule denies it.
    package var allowsHostAccess = true
    var kubernetes = KubernetesSettings()
    var fleet = FleetSettings()
    /// Networks of a runtime that the agent keeps its plugin in.
    var networkRepair = NetworkRepairSettings()
    /// Off unless somebody switches it on.
    var shield = ShieldConfiguration()
    var alerts = AlertsConfiguration()
    var policyLog = PolicyLogConfiguration()
    /// Off unless somebody names an address.
    var metrics = MetricsConfiguration()
    /// Nothing is done unless somebody switches it on; what would be done is written down.
    var response = ResponseConfiguration()
    package var logLevel: Logger.Level = .info
    package var logFormat: LogFormat = .text

    package init() {}

    package var socketPath: String { "\(runDirectory)/bulkhead.sock" }
    /// This host's name, by which documents and clusters mean it; a pod of the agent's is told it.
    var node: String {
        guard nodeName.isEmpty else { return nodeName }
        let told = kubernetes.isEnabled ? environmentValue("NODE_NAME") ?? "" : ""
        return told.isEmpty ? HostName.current() : told
    }

    /// Throws if files that the configuration names cannot be used.
    package func checkFiles() throws {
        try metrics.checkFiles()
        guard fleet.isEnabled else { return }
        try fleet.check(node: node)
    }

    var clusterMemory: ClusterMemory { ClusterMemory(path: "\(stateDirectory)/cluster") }
    var instancePath: String { "\(stateDirectory)/instance" }
    var lockPath: String { "\(runDirectory)/bulkhead.lock" }
    var statePath: String { "\(stateDirectory)/state.json" }
    var identitiesPath: String { "\(stateDirectory)/identities.json" }
    var rulesPath: String { "\(stateDirectory)/rules.json" }
    var numberLogPath: String { "\(stateDirectory)/numbers.log" }
    var ruleUsagePath: String { "\(stateDirectory)/rule-usage.json" }
    var learntPath: String { "\(stateDirectory)/detection.json" }
    var feedDirectory: String { "\(stateDirectory)/feeds" }
    var blockStore: BlockStore { BlockStore(path: "\(stateDirectory)/blocks") }
    var alertDirectory: String { "\(stateDirectory)/alerts" }
    var historyDirectory: String { "\(stateDirectory)/history" }
    var appliedPolicyDirectory: String { "\(stateDirectory)/policies" }
}
