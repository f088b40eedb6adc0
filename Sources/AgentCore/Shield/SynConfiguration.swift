// SPDX-License-Identifier: Apache-2.0

import KernelDatapath
import PolicyReading

extension ConfigurationReader {
    /// `auto`, or `{mode: auto, front: auto, ports: {443: always, 25: off}, engage: 250, disengage: 60, window: 125ms, hold: 10s}`.
    func synDefence() throws -> SynSettings {
        var settings = SynSettings()
        if case .mapping = node.content {
            var ports: [UInt16: SynMode] = [:]
            // Who opens the section wants it.
            settings.mode = .auto
            try mapping([
                "mode": { settings.mode = try $0.choice(SynMode.self) },
                "front": { settings.front = try $0.choice(SynFrontChoice.self) },
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
