// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import KernelDatapath
import LinuxHost
import Logging
import NetworkModel
import PolicyModel
import PolicyReading

extension AgentConfiguration {
    /// Where the file is looked for unless a flag names one.
    package static let defaultPath = "/etc/bulkhead/agent.yaml"

    /// Takes over what a configuration file says.
    ///
    /// Errors carry `file:line:column`.
    package mutating func read(file path: String) throws {
        try read(readFile(path), file: path)
    }

    mutating func read(_ bytes: [UInt8], file: String) throws {
        guard let node = try ConfigurationNode.read(bytes, file: file) else { return }
        var copy = self
        let reader = ConfigurationReader(node: node)
        try reader.mapping([
            "policyDirectory": { copy.policyDirectory = try $0.string() },
            "workloadsFile": { copy.workloadsFile = try $0.string() },
            "stateDirectory": { copy.stateDirectory = try $0.string() },
            "runDirectory": { copy.runDirectory = try $0.string() },
            "bpfDirectory": { copy.bpfDirectory = try $0.string() },
            "podmanSocket": { copy.podmanSocket = try $0.string() },
            "dockerSocket": { copy.dockerSocket = try $0.string() },
            "apiGroup": { copy.apiGroup = try $0.string() },
            "audit": { copy.isAudit = try $0.boolean() },
            "allowHostAccess": { copy.allowsHostAccess = try $0.boolean() },
            "identityLabels": { copy.labelRules = try $0.labelRules() },
            "hostEndpoint": { copy.hostEndpoint = try $0.hostEndpoint() },
            "kubernetes": { copy.kubernetes = try $0.kubernetes() },
            "cluster": { copy.fleet = try $0.fleet() },
            "cni": { copy.networkRepair = try $0.networkRepair() },
            "nodeName": { copy.nodeName = try $0.string() },
            "startClosed": { copy.startClosed = try $0.list().map { try $0.string() } },
            "flows": { copy.flowCapacity = try $0.integer(1...10_000_000) },
            "reportInterval": { copy.settings.reportInterval = try $0.duration() },
            "sweepInterval": { copy.sweepInterval = try $0.duration(atLeast: .milliseconds(100)) },
            "dns": { try $0.read(into: &copy.names) },
            "history": { try $0.read(into: &copy.historyLimits) },
            "shield": { copy.shield = try $0.shield() },
            "alerts": { copy.alerts = try $0.alerts() },
            "metrics": { copy.metrics = try $0.metrics() },
            "policyLog": { copy.policyLog = try $0.policyLog() },
            "response": { copy.response = try $0.response() },
            "tables": { try $0.read(into: &copy.sizes) },
            "logLevel": { copy.logLevel = try $0.choice(Logger.Level.self) },
            "logFormat": { copy.logFormat = try $0.choice(LogFormat.self) },
        ])
        guard !copy.fleet.isEnabled || !copy.kubernetes.isEnabled else {
            throw reader.error("`cluster` and `kubernetes` exclude each other: a node belongs to one of them")
        }
        self = copy
    }
}

extension ConfigurationReader {
    fileprivate func labelRules() throws -> [LabelFilter.Rule] {
        try list().map { item in
            do {
                return try LabelFilter.Rule.parse(item.string())
            } catch let cause as LabelSyntaxError {
                throw item.error("not a label rule: \(cause.reason)")
            }
        }
    }

    fileprivate func hostEndpoint() throws -> AgentConfiguration.HostEndpoint {
        var host = AgentConfiguration.HostEndpoint()
        try mapping([
            "enabled": { host.isEnabled = try $0.boolean() },
            "devices": { host.devices = try $0.list().map { try $0.string() } },
            "labels": { host.labels = try $0.labels(of: LabelSource.kubernetes) },
            "failsafePorts": { host.failsafes = Set(try $0.list().map { try $0.failsafe() }) },
            "services": { host.services = try $0.services() },
        ])
        guard host.isEnabled || host.services.isEmpty else {
            throw error("services are parts of the host endpoint: set `enabled: true`")
        }
        return host
    }

    /// A mapping of `key: value` to labels; keys without a source are of `source`.
    func labels(of source: String) throws -> [Label] {
        try entries().map { key, value in
            do throws(LabelSyntaxError) {
                return try Label.parse("\(key)=\((try? value.string()) ?? "")", defaultSource: source)
            } catch {
                throw value.error("\"\(key)\" is not a label key: \(error.reason)")
            }
        }
    }

    /// `ingress tcp/22`.
    fileprivate func failsafe() throws -> FailsafePort {
        let text = try string()
        let words = text.split(separator: " ")
        let parts = words.last?.split(separator: "/") ?? []
        guard words.count == 2, parts.count == 2, let direction = Direction(String(words[0])),
            let proto = IPProtocol(String(parts[0])), let port = UInt16(parts[1])
        else { throw error("\"\(text)\" is not a failsafe port: write it as `ingress tcp/22`") }
        return FailsafePort(port: port, proto: proto, direction: direction)
    }

    fileprivate func read(into limits: inout PolicyHistory.Limits) throws {
        var copy = limits
        try mapping([
            "revisions": { copy.revisions = try $0.integer(1...100_000) },
            "megabytes": { copy.bytes = try $0.integer(1...16_384) << 20 },
        ])
        limits = copy
    }

    fileprivate func read(into names: inout NameSettings) throws {
        var copy = names
        var (shortest, longest) = (names.timeToLive.lowerBound, names.timeToLive.upperBound)
        try mapping([
            "resolvers": { copy.resolvers = Set(try $0.list().map { try $0.address() }) },
            "ttlMin": { shortest = try $0.duration() },
            "ttlMax": { longest = try $0.duration(atLeast: .seconds(1)) },
            "grace": { copy.grace = try $0.duration() },
            "openConnections": { copy.openTime = try $0.duration() },
        ])
        guard shortest <= longest else { throw error("ttlMin is longer than ttlMax") }
        copy.timeToLive = shortest...longest
        names = copy
    }

    private func address() throws -> IPAddress {
        let text = try string()
        guard let address = IPAddress(text) else { throw error("\"\(text)\" is not an address") }
        return address
    }

    fileprivate func read(into sizes: inout DatapathSizes) throws {
        var copy = sizes
        try mapping([
            "policyEntries": {
                copy.policyEntries = try $0.powerOfTwo(1024...1 << 24)
                copy.policyBuckets = copy.policyEntries
            },
            "ipcacheMegabytes": { copy.ipcacheChunks = try $0.integer(2...4096) },
            "conntrackEntries": { copy.conntrackEntries = try $0.integer(1024...16_000_000) },
            "eventBytes": { copy.eventBytes = try $0.integer(4096...1 << 30) },
        ])
        sizes = copy
    }
}

extension AgentConfiguration {
    /// The default file's path if there is such a file.
    package static var existingDefaultPath: String? {
        (try? readFile(defaultPath)) == nil ? nil : defaultPath
    }
}
