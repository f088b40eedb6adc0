// SPDX-License-Identifier: Apache-2.0

import Detectors
import KernelDatapath
import NetworkModel
import PolicyReading
import ResponseActions

/// The section `response` of the configuration.
struct ResponseConfiguration: Sendable {
    var settings = ResponseSettings()
    /// In force besides the shield's own while a `rate-limit` is.
    var limits: [ShieldLimit.Place: ShieldLimit] = [:]
    /// With whom a workload in quarantine may talk.
    var quarantineAllows: [CIDR] = []
    /// Workloads with the same labels go into quarantine together, but not more than these.
    var quarantineWorkloadsMax = 1

    /// True if a detector may bring the defence of a listener into force.
    var mayDefend: Bool { settings.mayDefend(DetectorCatalogue.guides.map(\.name)) }
}

extension ConfigurationReader {
    func response() throws -> ResponseConfiguration {
        var response = ResponseConfiguration()
        try mapping([
            "mode": { response.settings.mode = try $0.responseMode() },
            "detectors": { response.settings.rules = try $0.responseRules() },
            "severity": { response.settings.severity = try $0.severity() },
            "blockTime": { response.settings.blockTime = try $0.nanoseconds(atLeast: .seconds(1)) },
            "blockTimeMax": { response.settings.blockTimeMax = try $0.nanoseconds(atLeast: .seconds(1)) },
            "growth": { response.settings.growth = UInt64(try $0.integer(1...100)) },
            "memoryTime": { response.settings.memoryTime = try $0.nanoseconds(atLeast: .zero) },
            "limitTime": { response.settings.limitTime = try $0.nanoseconds(atLeast: .seconds(1)) },
            "quarantineTime": { response.settings.quarantineTime = try $0.nanoseconds(atLeast: .seconds(1)) },
            "pardonTime": { response.settings.pardonTime = try $0.nanoseconds(atLeast: .zero) },
            "blocks": { response.settings.blocksMax = try $0.integer(1...100_000) },
            "perMinute": { response.settings.perMinute = try $0.integer(1...10_000) },
            "quarantines": { response.settings.quarantinesMax = try $0.integer(1...1000) },
            "quarantineWorkloads": { response.quarantineWorkloadsMax = try $0.integer(1...1000) },
            "quarantineAllow": { response.quarantineAllows = try $0.list().map { try $0.network() } },
            "protect": { response.settings.protected = try $0.list().map { try $0.network() } },
            "limits": { response.limits = try $0.limits() },
        ])
        let longest = UInt64(30 * 86_400) * ResponseSettings.second
        guard response.settings.blockTimeMax <= longest else { throw error("`blockTimeMax` is 720h at most") }
        guard response.settings.blockTime <= response.settings.blockTimeMax else {
            throw error("`blockTime` is longer than `blockTimeMax`")
        }
        return response
    }

    /// `ssh-guessing: on`, or `fan-out: {mode: on, actions: [quarantine]}`.
    private func responseRules() throws -> [String: ResponseSettings.Rule] {
        var rules: [String: ResponseSettings.Rule] = [:]
        for (detector, value) in try entries() {
            try value.checkDetector(detector)
            guard case .mapping = value.node.content else {
                rules[detector] = ResponseSettings.Rule(mode: try value.responseMode())
                continue
            }
            var mode: ResponseSettings.Mode?
            var kinds: Set<ResponseAction.Kind>?
            var blocksUnproven = false, closesFailsafes = false
            try value.mapping([
                "mode": { mode = try $0.responseMode() },
                "unproven": { blocksUnproven = try $0.boolean() },
                "failsafes": { closesFailsafes = try $0.boolean() },
                "actions": { kinds = Set(try $0.list().map { try $0.choice(ResponseAction.Kind.self) }) },
            ])
            guard let mode else { throw value.error("say the `mode`: off, dry-run or on") }
            rules[detector] = ResponseSettings.Rule(
                mode: mode, kinds: kinds, blocksUnproven: blocksUnproven, closesFailsafes: closesFailsafes)
        }
        return rules
    }

    /// YAML reads `on` and `off` as words or as truth values.
    private func responseMode() throws -> ResponseSettings.Mode {
        if case .boolean(let isOn) = node.content { return isOn ? .on : .off }
        return try choice(ResponseSettings.Mode.self)
    }
}
