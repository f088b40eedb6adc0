// SPDX-License-Identifier: Apache-2.0

import CDatapathABI
import ControlAPI
import DetectionModel
import EventModel
import FeedReading
import KernelDatapath
import LinuxHost
import Logging
import NetworkModel
import PrefixTables

/// Keeps the prefilter in step with configuration, devices, feeds and time.
///
/// An actor of its own: a feed of a million lines takes a second to read, and no policy waits for that.
actor ShieldKeeper {
    let configuration: ShieldConfiguration
    let logger: Logger
    var shield: Shield
    var feeds: ShieldFeeds
    /// By name.
    private(set) var devices: [String: ShieldDeviceReport] = [:]
    private(set) var feedBytes: [Bool: Int] = [:]
    var refusedBlocks = 0
    private(set) var problems: [String: String] = [:]
    static let reflectorSubject = "reflectors"
    private var isDetached = false
    /// Reads the sensors; nil without.
    private var listening: Task<Void, Never>?
    /// The feeds as packets are judged by them, by `isIPv4`; nil before the first load.
    private var inForce: [Bool: [RangePrefix]] = [:]
    /// Destinations for which responses want limits, and which.
    private var flooded: Set<IPAddress> = []
    private var floodedLimits: [ShieldLimit.Place: ShieldLimit] = [:]
    let blockStore: BlockStore
    var clock = AlertClock()
    /// False while the store does not say what is blocked.
    var areBlocksKept = false

    /// Loads or adopts; the settings are in force afterwards, and on the devices of before.
    ///
    /// `feedDirectory`: where what is in force of each feed is kept over restarts; `blocks`: likewise, over reboots too.
    init(
        _ configuration: ShieldConfiguration, directory: PinDirectory, feedDirectory: String, blocks: BlockStore,
        logger: Logger
    ) throws {
        self.configuration = configuration
        blockStore = blocks
        self.logger = logger
        feeds = ShieldFeeds(configuration, store: FeedStore(directory: feedDirectory))
        var loaded = try Shield.load(directory: directory, settings: configuration.settings)
        try loaded.configure(configuration.settings)
        shield = loaded
    }

    /// Feeds first, then devices: no packet is judged by half of what is to be.
    func start() {
        refreshFeeds(isFirst: true)
        restoreBlocks()
        shield.tables.grantEvents(configuration.eventsPerSecond)
        followDevices()
        if !shield.hasTCX {
            note(
                ShieldKeeper.reflectorSubject,
                "this kernel has no tcx (Linux 6.6): nobody sees who asks, so answers are not filtered")
        }
    }

    /// The periodic work.
    func tick() {
        guard !isDetached else { return }
        shield.tables.grantEvents(configuration.eventsPerSecond)
        refreshFeeds(isFirst: false)
        followDevices()
        do { try shield.tables.removeEndedBlocks() } catch { note("blocks", "\(error)") }
        keepBlocks()
    }

    /// What the sensors say from now on; for one reader, who ends it by letting go of it.
    ///
    /// Empty where they are off.
    func activities() -> ActivityChannel {
        let channel = ActivityChannel()
        listening?.cancel()
        guard configuration.settings.senses, !isDetached else {
            channel.finish()
            return channel
        }
        let listening = Task {
            while !Task.isCancelled, !isDetached {
                let activities = shield.sensors.poll()
                if !activities.isEmpty { channel.send(activities) }
                // Shorter than what a finding may take, by ten.
                try? await Task.sleep(for: .milliseconds(100))
            }
            channel.finish()
        }
        channel.onEnd { listening.cancel() }
        self.listening = listening
        return channel
    }

    func detach() {
        isDetached = true
        do { try shield.detachAll() } catch { note("devices", "\(error)") }
    }

    func note(_ subject: String, _ message: String?) {
        guard problems[subject] != message else { return }
        problems[subject] = message
        if let message { logger.warning("shield: \(message)") }
    }

    // MARK: - Feeds

    /// Whom no feed may cut off, as of now.
    func spare(_ addresses: Set<IPAddress>) {
        guard feeds.spare(addresses) else { return }
        for entry in feeds.entries where !entry.spared.isEmpty {
            logger.notice(
                "shield: a feed names whom this host needs, and does not cut them off",
                metadata: ["feed": "\(entry.feed.name)", "addresses": "\(entry.spared)"])
        }
        guard !inForce.isEmpty else { return }
        refreshFeeds(isFirst: true)
    }

    /// `isFirst`: also if no file is another one.
    func refreshFeeds(isFirst: Bool) {
        guard feeds.refresh(now: Timestamp.now()) || isFirst else { return noteFeeds() }
        let table = feeds.table
        for isIPv4 in [true, false] {
            let prefixes = isIPv4 ? table.ipv4 : table.ipv6
            do {
                let (bytes, way) = try shield.tables.changeFeeds(
                    isIPv4: isIPv4, from: inForce[isIPv4] ?? [], to: prefixes)
                if way != .unchanged {
                    logger.info(
                        "shield: feeds",
                        metadata: [
                            "family": isIPv4 ? "IPv4" : "IPv6", "prefixes": "\(prefixes.count)", "way": "\(way)",
                        ])
                }
                feedBytes[isIPv4] = bytes
                inForce[isIPv4] = prefixes
                note("feeds \(isIPv4)", nil)
            } catch {
                note("feeds \(isIPv4)", "cannot load the \(isIPv4 ? "IPv4" : "IPv6") feeds: \(error)")
            }
        }
        noteFeeds()
        HeapMemory.giveBack()
    }

    private func noteFeeds() {
        note("feed store", feeds.storeProblem)
        for entry in feeds.entries {
            let faults =
                entry.faultCount == 0 ? nil : "\(entry.faultCount) lines cannot be read: \(entry.firstFaults[0])"
            note("feed \(entry.feed.name)", (entry.problem ?? faults).map { "feed \(entry.feed.name): \($0)" })
        }
    }

    // MARK: - Devices

    private func followDevices() {
        let links: [NetworkLink]
        do {
            links = try RouteSession().links()
            note("links", nil)
        } catch {
            return note("links", "cannot list the devices: \(error)")
        }
        let wanted = links.filter { link in
            configuration.devices.isEmpty
                ? link.kind == nil && !link.isLoopback && link.isUp : configuration.devices.contains(link.name)
        }
        var reports: [String: ShieldDeviceReport] = [:]
        for link in wanted {
            let device = ShieldDevice(
                interface: UInt32(link.index), name: link.name, isEthernet: link.hardwareAddress.count == 6)
            do {
                let place = try shield.attach(device)
                reports[link.name] = ShieldDeviceReport(
                    name: link.name, hook: place.hook.rawValue, reason: place.reason)
            } catch {
                reports[link.name] = ShieldDeviceReport(name: link.name, problem: "\(error)")
            }
        }
        for name in configuration.devices where reports[name] == nil {
            reports[name] = ShieldDeviceReport(name: name, problem: "there is no such device")
        }
        for (name, report) in reports where devices[name] != report {
            logger.notice(
                "shield: device",
                metadata: ["device": "\(name)", "hook": "\(report.hook ?? "none")", "reason": "\(report.reason ?? "")"])
        }
        for (name, report) in reports { note("device \(name)", report.problem.map { "\(name): \($0)" }) }
        if reports.isEmpty { note("devices", "no device is shielded: name them in `shield.devices`") }
        devices = reports
        do { try shield.detachAll(besides: Set(wanted.map { UInt32($0.index) })) } catch { note("devices", "\(error)") }
    }

    // MARK: - Limits

    /// Limits of what goes to an address, in force besides the configured ones for as long as they are asked for; none: not any more.
    ///
    /// The shield's own limits go first where both speak of the same.
    func limit(_ limits: [ShieldLimit.Place: ShieldLimit], for address: IPAddress) throws(APIError) {
        if !limits.isEmpty { try requireEnforcing() }
        var addresses = flooded
        if limits.isEmpty { addresses.remove(address) } else { addresses.insert(address) }
        guard addresses != flooded else { return }
        if !limits.isEmpty { floodedLimits = limits }
        do {
            try shield.limit(floodedLimits, to: addresses, beside: configuration.settings)
            flooded = addresses
        } catch {
            throw APIError(.commitFailed, "\(error)")
        }
    }
}
