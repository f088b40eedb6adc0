// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import ControlAPI
import KernelDatapath
import LinuxHost
import Logging
import NetworkModel

/// A workload whose listeners are to be defended.
struct SynPlace: Hashable, Sendable {
    var workload: String
    /// Nil: nobody knows how to get there.
    var namespace: NetworkNamespace?
    /// The host's ends of its links.
    var interfaces: Set<UInt32>
}

/// A listener, or with port 0 every listener of an address, that is to be defended whatever its load.
struct SynDemand: Hashable, Sendable {
    var address: IPAddress
    var port: UInt16
}

/// Keeps the defence of listeners where listeners are: on the host's devices and inside its workloads.
///
/// An actor of its own: entering namespaces takes time, and no policy waits for that.
actor SynKeeper {
    let configuration: ShieldConfiguration
    private let logger: Logger
    let defence: SynDefence
    private let thread: NamespaceThread
    /// What is known of a place, by the number of the host's device.
    struct KnownPlace {
        var report: SynDefenceReport.Place
        /// Nil: the host's own.
        var namespace: NetworkNamespace?
        /// Inode of its network namespace.
        var space: UInt32?
    }

    private var places: [UInt32: KnownPlace] = [:]
    private(set) var problems: [String: String] = [:]
    private var rotatedIn = SynTables.step()
    /// What responses want defended.
    private var demands: Set<SynDemand>

    /// Loads; the settings are in force afterwards, on what an earlier agent has left too.
    init(
        _ configuration: ShieldConfiguration, directory: PinDirectory, demands: Set<SynDemand> = [], logger: Logger
    ) throws {
        self.configuration = configuration
        self.demands = demands
        self.logger = logger
        thread = try NamespaceThread()
        defence = try SynDefence(directory: directory, behind: configuration.synDefence.behind)
        defence.tables.configure(SynKeeper.settings(configuration.synDefence, demands))
        for demand in demands { try SynKeeper.order(demand, isOn: true, defence) }
        if !configuration.synDefence.behind.isEmpty, !defence.hasOwnCookies {
            problems["behind"] = "servers on other machines are not defended: that needs Linux 6.9"
        }
    }

    /// Defends a listener from its next SYN on, or by load as configured again.
    func demand(_ demand: SynDemand, isOn: Bool) throws(APIError) {
        if isOn, demand.port > 0, configuration.synDefence.ports[demand.port] == .off {
            throw APIError(.refused, "`shield.synDefence.ports` says that port \(demand.port) is never defended")
        }
        if isOn { demands.insert(demand) } else { demands.remove(demand) }
        defence.tables.configure(SynKeeper.settings(configuration.synDefence, demands))
        do throws(BPFError) {
            if !isOn { try SynKeeper.order(demand, isOn: false, defence) }
            for demand in demands { try SynKeeper.order(demand, isOn: true, defence) }
        } catch {
            throw APIError(.commitFailed, "cannot defend listeners: \(error)")
        }
    }

    /// The operator's settings, with the ports of what responses want looked at; what is off by port stays off.
    ///
    /// Which of the listeners on them are defended whatever the load their gates say.
    static func settings(_ configured: SynSettings, _ demands: Set<SynDemand>) -> SynSettings {
        var settings = configured
        if let text = try? readTextFile("/proc/sys/net/core/rmem_max"), let bytes = UInt32(text.trimmedNumber) {
            settings.receiveBufferMax = bytes
        }
        guard configured.mode == .off else { return settings }
        if demands.contains(where: { $0.port == 0 }) { settings.mode = .auto }
        for demand in demands where demand.port > 0 && configured.ports[demand.port] == nil {
            settings.ports[demand.port] = .auto
        }
        return settings
    }

    /// How long an order goes on where no agent renews it.
    private static let orderTime: Duration = .seconds(86_400)

    private static func order(_ demand: SynDemand, isOn: Bool, _ defence: SynDefence) throws(BPFError) {
        try defence.tables.order(
            demand.address, port: demand.port, for: isOn ? orderTime : .zero, isAgain: isOn)
    }

    /// Listeners that were not known when the order came, and gates that had to make room.
    private func followDemands() {
        do throws(BPFError) {
            for demand in demands { try SynKeeper.order(demand, isOn: true, defence) }
            note("orders", nil)
        } catch {
            note("orders", "cannot defend listeners by order: \(error)")
        }
    }

    func note(_ subject: String, _ message: String?) {
        guard problems[subject] != message else { return }
        problems[subject] = message
        if let message { logger.warning("syn defence: \(message)") }
    }

    /// The periodic work: new keys, and programs where there are none yet.
    func follow(_ workloads: [SynPlace]) async {
        let step = SynTables.step()
        if step != rotatedIn {
            rotatedIn = step
            defence.tables.rotateKeys(in: step)
        }
        let (links, known) = listLinks()
        var wanted = known ? followDevices(links) : Set(places.filter { !$0.value.report.isWorkload }.keys)
        for place in workloads {
            wanted.formUnion(place.interfaces)
            await follow(place)
        }
        for number in places.keys where !wanted.contains(number) { places[number] = nil }
        do {
            try defence.detachAll(besides: wanted)
            if known { try followFronts(links, places) }
            note("detach", nil)
        } catch {
            note("detach", "cannot take programs off: \(error)")
        }
        followDemands()
    }

    private func listLinks() -> ([NetworkLink], areKnown: Bool) {
        do {
            let links = try RouteSession().links()
            note("links", nil)
            return (links, true)
        } catch {
            note("links", "cannot list the devices: \(error)")
            return ([], false)
        }
    }

    /// Attaches on the host's own devices; returns their numbers.
    private func followDevices(_ links: [NetworkLink]) -> Set<UInt32> {
        var wanted: Set<UInt32> = []
        for link in links where isWanted(link) {
            let number = UInt32(link.index)
            wanted.insert(number)
            var place = SynDefenceReport.Place(name: link.name, isWorkload: false)
            if link.hardwareAddress.count != 6 {
                place.problem = "it has no Ethernet header: its listeners keep the kernel's own cookies"
            } else {
                do {
                    try defence.attach(to: number, number: number, isUplink: true)
                    place.front = places[number]?.report.front
                } catch {
                    place.problem = "\(error)"
                }
            }
            take(KnownPlace(report: place, space: SynKeeper.space(.own)), number)
        }
        return wanted
    }

    /// The number by which the kernel's programs know a network namespace.
    private static func space(_ namespace: NetworkNamespace) -> UInt32? {
        (try? namespace.inode()).map(UInt32.init(truncatingIfNeeded:))
    }

    func noteFront(_ hook: SynFrontHook?, _ number: UInt32) { places[number]?.report.front = hook?.rawValue }

    private func isWanted(_ link: NetworkLink) -> Bool {
        configuration.devices.isEmpty
            ? link.kind == nil && !link.isLoopback && link.isUp : configuration.devices.contains(link.name)
    }

    private func take(_ place: KnownPlace, _ number: UInt32) {
        if places[number] == nil {
            logger.info("syn defence: place", metadata: ["name": "\(place.report.name)", "number": "\(number)"])
        }
        places[number] = place
        note("place \(number)", place.report.problem.map { "\(place.report.name): \($0)" })
    }

    /// Enters the namespace where programs are missing.
    private func follow(_ place: SynPlace) async {
        let missing = place.interfaces.filter { number in
            places[number].map { $0.report.problem != nil || $0.space == nil } != false
                || (try? defence.isAttached(number: number)) != true
        }
        guard !missing.isEmpty else { return }
        func fail(_ number: UInt32, _ problem: String) {
            take(
                KnownPlace(
                    report: SynDefenceReport.Place(name: place.workload, isWorkload: true, problem: problem),
                    namespace: place.namespace), number)
        }
        guard let namespace = place.namespace else {
            for number in missing { fail(number, "its network namespace is not known") }
            return
        }
        do {
            let inside = try await thread.interfaces(of: namespace)
            for number in missing {
                let link = inside.interfaces.first { $0.hostIndex == Int32(number) }?.link
                guard let index = link.map({ UInt32($0.index) }) else {
                    fail(number, "its end of the link is not in its namespace")
                    continue
                }
                do {
                    try await thread.run(in: namespace) { [defence] in
                        try defence.attach(to: index, number: number, isUplink: false)
                    }
                    let report = SynDefenceReport.Place(name: place.workload, isWorkload: true)
                    take(KnownPlace(report: report, namespace: namespace, space: SynKeeper.space(namespace)), number)
                } catch {
                    fail(number, "\(error)")
                }
            }
        } catch {
            for number in missing { fail(number, "\(error)") }
        }
    }

    /// What the settings of the calling thread's network namespace take from the defence.
    private static func limitsHere() -> [String] {
        let costs = [
            ("tcp_syncookies", "not defended"), ("tcp_window_scaling", "no window scale"), ("tcp_sack", "no SACK"),
            ("tcp_timestamps", "no timestamps"), ("tcp_ecn", "no ECN"),
        ]
        return costs.compactMap { name, cost in
            // The thread's own: /proc/sys/net shows the namespace of who opens it.
            guard let text = try? readTextFile("/proc/sys/net/ipv4/\(name)"), text.trimmedNumber == "0" else {
                return nil
            }
            return "\(name) = 0: \(cost)"
        }
    }

    /// What the calling thread's network namespace takes from fronts for published ports.
    private static func trackingLimits() -> [String] {
        let path = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"
        guard let text = try? readTextFile(path), text.trimmedNumber == "0" else { return [] }
        return ["nf_conntrack_tcp_loose = 0: no front for published ports"]
    }

    // MARK: - Reports

    /// What the settings of a place's namespace take from the defence, read now: they may be changed at any time.
    private func limits(of place: KnownPlace) async -> [String] {
        guard place.report.problem == nil else { return [] }
        guard let namespace = place.namespace else {
            // Translation for others happens here.
            return SynKeeper.limitsHere() + (defence.hasOwnCookies ? SynKeeper.trackingLimits() : [])
        }
        return (try? await thread.run(in: namespace) { SynKeeper.limitsHere() }) ?? []
    }

    func report() async -> SynDefenceReport {
        for (number, place) in places {
            // Not in one statement: the place would stay open for writing while others write, and that ends the agent.
            let limits = await limits(of: place)
            places[number]?.report.limits = limits
        }
        var report = SynDefenceReport(
            mode: configuration.synDefence.mode.rawValue, hasOwnCookies: defence.hasOwnCookies)
        report.places = places.values.map(\.report).sorted {
            ($0.isWorkload ? 1 : 0, $0.name) < ($1.isWorkload ? 1 : 0, $1.name)
        }
        do {
            report.listeners = try defence.tables.listeners().map { listener in
                SynDefenceReport.Listener(
                    address: "\(listener.address)", port: listener.port, isDefended: listener.isDefended,
                    engagements: listener.engagements, obstacles: listener.obstacles.map(\.rawValue))
            }
            report.published = try defence.tables.published().map { port in
                SynDefenceReport.Published(
                    address: "\(port.address)", port: port.port, target: "\(port.target)",
                    targetPort: port.targetPort,
                    problem: port.isGivenUp ? "a first ACK does not get through to it" : nil)
            }
            report.behind = configuration.synDefence.behind.map {
                SynDefenceReport.Behind(network: "\($0.network)", ports: $0.ports)
            }
            report.openedBehind = try defence.count(.openedBehind)
            report.answeredAhead = try defence.count(.answeredAhead)
            report.answered = try defence.count(.answered) + report.answeredAhead
            report.accepted = try defence.count(.accepted)
            report.refused = try defence.count(.refused)
            report.stale = try defence.count(.stale)
            report.queueFull = try defence.count(.queueFull)
            report.left = try defence.count(.left)
        } catch {
            note("tables", "cannot read the tables: \(error)")
        }
        report.problems = problems.sorted { $0.key < $1.key }.map(\.value)
        return report
    }
}

extension String {
    /// Its leading digits: the files of procfs end in a newline.
    fileprivate var trimmedNumber: String { String(prefix { $0.isASCII && $0.isNumber }) }
}
