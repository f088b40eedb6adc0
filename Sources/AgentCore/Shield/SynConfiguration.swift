// SPDX-License-Identifier: Apache-2.0

import KernelDatapath
import NetworkModel
import PolicyReading

extension ConfigurationReader {
    /// `auto`, or `{mode: auto, front: auto, behind: [], ports: {443: always, 25: off}, engage: 250, disengage: 60, window: 125ms, hold: 10s}`.
    func synDefence() throws -> SynSettings {
        var settings = SynSettings()
        if case .mapping = node.content {
            var ports: [UInt16: SynMode] = [:]
            // Who opens the section wants it.
            settings.mode = .auto
            try mapping([
                "mode": { settings.mode = try $0.choice(SynMode.self) },
                "front": { settings.front = try $0.choice(SynFrontChoice.self) },
                "behind": { settings.behind = try $0.serversBehind() },
                "ports": { ports = try $0.portModes() },
                "engage": { settings.engage = try $0.integer(1...10_000_000) },
                "disengage": { settings.disengage = try $0.integer(0...10_000_000) },
                "window": { settings.window = try $0.duration(atLeast: .milliseconds(20)) },
                "hold": { settings.hold = try $0.duration(atLeast: .milliseconds(100)) },
            ])
            settings.ports = ports
            guard settings.disengage < settings.engage else {
                throw error("`disengage` (\(settings.disengage)) is to be less than `engage` (\(settings.engage))")
            }
            return settings
        }
        settings.mode = try choice(SynMode.self)
        return settings
    }

    /// `[{address: 10.1.2.0/24, ports: [80, 443]}]`.
    private func serversBehind() throws -> [SynBehind] {
        let servers = try list().map { reader in
            var network: CIDR?
            var ports: [UInt16] = []
            try reader.mapping([
                "address": { network = try $0.network() },
                "ports": { ports = try $0.list().map { UInt16(try $0.integer(1...65_535)) } },
            ])
            guard let network else { throw reader.error("`address` is missing: an address or a prefix") }
            guard network.length > 0 else {
                throw reader.error("\(network) is everybody: name the servers behind this host")
            }
            guard !ports.isEmpty else { throw reader.error("`ports` is missing: what the servers listen on") }
            return SynBehind(network: network, ports: Set(ports).sorted())
        }
        guard servers.reduce(0, { $0 + $1.ports.count }) <= 4096 else {
            throw error("more than 4096 pairs of an address and a port")
        }
        return servers
    }

    private func portModes() throws -> [UInt16: SynMode] {
        var modes: [UInt16: SynMode] = [:]
        for (name, value) in try entries() {
            guard let port = UInt16(name), port > 0 else {
                throw value.error("\"\(name)\" where a port of 1 to 65535 belongs")
            }
            modes[port] = try value.choice(SynMode.self)
        }
        return modes
    }
}
