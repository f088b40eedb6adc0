// SPDX-License-Identifier: Apache-2.0

import Detectors
import FeedReading
import KernelDatapath
import NetworkModel
import PolicyReading

/// The section `shield` of the configuration.
struct ShieldConfiguration: Sendable {
    /// A list of prefixes in a file, or in all files of a directory.
    struct Feed: Hashable, Sendable {
        /// What to do with a text that has lines that cannot be read.
        enum FaultRule: String, Hashable, Sendable, CaseIterable {
            /// Take the rest.
            case skip
            /// Keep the prefixes that are in force.
            case keep
        }

        var name: String
        var action = FeedAction.deny
        var path: String
        var onFault = FaultRule.skip
        var allowsWidePrefixes = false
        /// A text with so many per cent fewer prefixes than are in force is taken for a mistake; 100: never.
        var shrinkLimit = 50
    }

    var settings = ShieldSettings()
    /// Empty: every physical device that is up.
    var devices: [String] = []
    var feeds: [Feed] = []
    /// Never dropped for who they are.
    var allowed: [CIDR] = []
    var synDefence = SynSettings()

    /// Drops of each reason that each CPU may tell in a second; the rest is counted.
    var eventsPerSecond = 20

    /// What is not named runs with its defaults.
    var detectors = DetectorConfiguration()

    /// By which the configuration's own allow list goes among feeds.
    static let allowListName = "allow"
}

extension ConfigurationReader {
    func shield() throws -> ShieldConfiguration {
        var shield = ShieldConfiguration()
        var limits: [ShieldLimit.Place: ShieldLimit] = [:]
        try mapping([
            "mode": { shield.settings.mode = try $0.choice(ShieldMode.self) },
            "devices": { shield.devices = try $0.list().map { try $0.string() } },
            "feeds": { shield.feeds = try $0.feeds() },
            "allow": { shield.allowed = try $0.list().map { try $0.allowedNetwork() } },
            "failsafePorts": { shield.settings.failsafePorts = try $0.ports() },
            "servedPorts": { shield.settings.servedPorts = try $0.ports() },
            "reflectorPorts": { shield.settings.reflectorPorts = try $0.ports() },
            "answerTime": { shield.settings.answerTime = try $0.duration(atLeast: .seconds(1)) },
            "malformed": { shield.settings.checksHeaders = try $0.boolean() },
            "martians": { shield.settings.checksSources = try $0.boolean() },
            "detectors": { shield.detectors = try $0.detectors() },
            "events": { shield.eventsPerSecond = try $0.integer(0...10_000) },
            "limits": { limits = try $0.limits() },
            "limitEntries": { shield.settings.limitEntries = try $0.powerOfTwo(256...262_144) },
            "synDefence": { shield.synDefence = try $0.synDefence() },
            "blocks": { shield.settings.blockCapacity = try $0.integer(16...1_000_000) },
            "sensors": { shield.settings.senses = try $0.boolean() },
        ])
        shield.settings.limits = limits
        return shield
    }

    private func allowedNetwork() throws -> CIDR {
        let network = try network()
        guard network.length > 0 else {
            throw error("\(network) allows everybody, and the shield would do nothing: say `mode: off` for that")
        }
        return network
    }

    private func feeds() throws -> [ShieldConfiguration.Feed] {
        var feeds: [ShieldConfiguration.Feed] = []
        for item in try list() {
            var feed = ShieldConfiguration.Feed(name: "", path: "")
            try item.mapping([
                "name": { feed.name = try $0.string() },
                "path": { feed.path = try $0.string() },
                "action": { feed.action = try $0.choice(FeedAction.self) },
                "onFault": { feed.onFault = try $0.choice(ShieldConfiguration.Feed.FaultRule.self) },
                "allowWide": { feed.allowsWidePrefixes = try $0.boolean() },
                "shrinkLimit": { feed.shrinkLimit = try $0.integer(1...100) },
            ])
            guard feed.path.hasPrefix("/") else { throw item.error("a feed has a `path` that begins with /") }
            if feed.name.isEmpty { feed.name = feed.path.split(separator: "/").last.map(String.init) ?? feed.path }
            guard feed.name != ShieldConfiguration.allowListName, !feeds.contains(where: { $0.name == feed.name })
            else {
                throw item.error("another feed is called \"\(feed.name)\": give one of them a `name`")
            }
            feeds.append(feed)
        }
        guard feeds.count(where: { $0.action == .deny }) <= 127, feeds.count(where: { $0.action == .allow }) <= 127
        else {
            throw error("more than 127 feeds of one kind; a directory may hold many files of one feed")
        }
        return feeds
    }

    private func ports() throws -> Set<UInt16> {
        Set(try list().map { UInt16(try $0.integer(1...65_535)) })
    }

    /// `source: {packets: 5000, connections: {rate: 100, burst: 300}}`.
    func limits() throws -> [ShieldLimit.Place: ShieldLimit] {
        var limits: [ShieldLimit.Place: ShieldLimit] = [:]
        for (scopeName, kinds) in try entries() {
            guard let scope = ShieldLimit.Scope(rawValue: scopeName) else {
                throw kinds.error("\"\(scopeName)\" where source, network or destination belongs")
            }
            for (kindName, value) in try kinds.entries() {
                guard let kind = ShieldLimit.Kind(rawValue: kindName) else {
                    throw value.error(
                        "\"\(kindName)\" where one of \(ShieldLimit.Kind.allCases.map(\.rawValue).joined(separator: ", ")) belongs"
                    )
                }
                limits[.init(scope, kind)] = try value.limit()
            }
        }
        return limits
    }

    private func limit() throws -> ShieldLimit {
        let range = 1...100_000_000_000
        guard case .mapping = node.content else { return ShieldLimit(rate: try integer(range)) }
        var rate: Int?, burst: Int?
        try mapping(["rate": { rate = try $0.integer(range) }, "burst": { burst = try $0.integer(range) }])
        guard let rate else { throw error("a limit has a `rate`: so many a second") }
        return ShieldLimit(rate: rate, burst: burst)
    }
}
