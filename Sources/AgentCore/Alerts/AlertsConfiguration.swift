// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import AlertSinks
import DetectionModel
import LinuxHost
import NetworkModel
import PolicyReading

/// The section `alerts` of the configuration.
struct AlertsConfiguration: Sendable {
    /// One place that alerts are told to.
    struct Sink: Hashable, Sendable {
        enum Kind: String, Hashable, Sendable, CaseIterable {
            case file, syslog, webhook, alertmanager, command
        }

        var kind = Kind.file
        var name = ""
        var filter = SinkQueue.Filter()
        var spoolBytes = 16 << 20
        /// Of a file, or of a Unix socket.
        var path = ""
        var address: IPAddress?
        var port: UInt16 = 514
        var facility = 10
        var url: HTTPPlace?
        var command: [String] = []
        var parallel = 2
        var timeLimit: Duration = .seconds(10)
        var interval: Duration = .seconds(60)

        var place: String {
            switch kind {
            case .file: path
            case .syslog: address.map { "\(SyslogSink.Place.udp($0, port: port))" } ?? path
            case .webhook, .alertmanager: url.map { "\($0)" } ?? ""
            case .command: command.joined(separator: " ")
            }
        }
    }

    var settings = AlertSettings()
    var sinks: [Sink] = []
    var mutes: [AlertMute] = []
}

extension AlertsConfiguration.Sink {
    /// Numbers of RFC 5424, 6.2.1.
    static let facilities: [String: Int] = Dictionary(
        uniqueKeysWithValues: [
            ("daemon", 3), ("auth", 4), ("authpriv", 10), ("user", 1),
        ] + (0...7).map { ("local\($0)", 16 + $0) })

    /// The sink itself; `host`: this host's name.
    func make(host: String) -> (any AlertSink)? {
        switch kind {
        case .file: return FileSink(path: path)
        case .syslog:
            return SyslogSink(
                place: address.map { .udp($0, port: port) } ?? .socket(path), facility: facility)
        case .webhook: return url.map { WebhookSink(place: $0, timeout: timeLimit) }
        case .alertmanager:
            return url.map { url in
                AlertmanagerSink(place: url, host: host, interval: interval, timeout: timeLimit) { time in
                    Timestamp.text(seconds: Timestamp.secondsNow() + time.components.seconds)
                }
            }
        case .command: return CommandSink(arguments: command, timeLimit: timeLimit, parallel: parallel)
        }
    }
}

extension ConfigurationReader {
    func alerts() throws -> AlertsConfiguration {
        var alerts = AlertsConfiguration()
        try mapping([
            "sinks": { alerts.sinks = try $0.sinks() },
            "mutes": { alerts.mutes = try $0.list().map { try $0.mute() } },
            "noticesPerMinute": { alerts.settings.noticesPerMinute = try $0.integer(1...100_000) },
            "keep": { alerts.settings.capacity = try $0.integer(64...1_000_000) },
            "quietTime": { alerts.settings.quietTime = try $0.nanoseconds(atLeast: .seconds(70)) },
            "reopenTime": { alerts.settings.reopenTime = try $0.nanoseconds(atLeast: .zero) },
            "repeatTime": { alerts.settings.repeatTime = try $0.nanoseconds(atLeast: .seconds(60)) },
            "incidentTime": { alerts.settings.incidentTime = try $0.nanoseconds(atLeast: .seconds(1)) },
            "keepTime": { alerts.settings.keepTime = try $0.nanoseconds(atLeast: .seconds(60)) },
        ])
        return alerts
    }

    /// A duration in nanoseconds.
    func nanoseconds(atLeast shortest: Duration) throws -> UInt64 {
        let (seconds, attoseconds) = try duration(atLeast: shortest).components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }

    func severity() throws -> Severity {
        let text = try string()
        guard let severity = Severity(text) else {
            let names = Severity.allCases.map(\.description).joined(separator: ", ")
            throw error("\"\(text)\" where one of \(names) belongs")
        }
        return severity
    }

    /// An address or a prefix without host bits.
    func network() throws -> CIDR {
        let text = try string()
        guard let prefix = CIDR(text) ?? IPAddress(text).map(CIDR.init(host:)) else {
            throw error("\"\(text)\" is not an address, nor a prefix without host bits such as 10.1.2.0/24")
        }
        return prefix
    }

    private func mute() throws -> AlertMute {
        var mute = AlertMute(isConfigured: true)
        try mapping([
            "detector": { mute.detector = try $0.detector() },
            "source": { mute.source = try $0.network() },
            "target": { mute.target = try $0.network() },
            "comment": { mute.comment = try $0.string() },
        ])
        guard mute.isNarrow else { throw error("a mute has a `detector`, a `source` or a `target`") }
        return mute
    }

    private func sinks() throws -> [AlertsConfiguration.Sink] {
        var sinks: [AlertsConfiguration.Sink] = []
        for item in try list() {
            var sink = try item.sink()
            if sink.name.isEmpty {
                let count = sinks.count { $0.kind == sink.kind }
                sink.name = sink.kind.rawValue + (count == 0 ? "" : "-\(count + 1)")
            }
            guard !sinks.contains(where: { $0.name == sink.name }) else {
                throw item.error("another sink is called \"\(sink.name)\": give one of them a `name`")
            }
            sinks.append(sink)
        }
        guard sinks.count <= 32 else { throw error("more than 32 sinks") }
        return sinks
    }

    private func sink() throws -> AlertsConfiguration.Sink {
        var sink = AlertsConfiguration.Sink()
        var given: Set<String> = []
        func note(_ key: String, _ body: @escaping (ConfigurationReader) throws -> Void)
            -> (String, (ConfigurationReader) throws -> Void)
        {
            (
                key,
                { reader in
                    given.insert(key)
                    try body(reader)
                }
            )
        }
        try mapping(
            Dictionary(uniqueKeysWithValues: [
                note("type") { sink.kind = try $0.choice(AlertsConfiguration.Sink.Kind.self) },
                note("name") { sink.name = try $0.sinkName() },
                note("severity") { sink.filter.severity = try $0.severity() },
                note("detectors") { sink.filter.detectors = Set(try $0.list().map { try $0.detector() }) },
                note("spoolMegabytes") { sink.spoolBytes = try $0.integer(1...4096) << 20 },
                note("path") { sink.path = try $0.string() },
                note("socket") { sink.path = try $0.string() },
                note("address") { sink.address = try $0.network().address },
                note("port") { sink.port = UInt16(try $0.integer(1...65_535)) },
                note("facility") { sink.facility = try $0.facility() },
                note("url") { sink.url = try $0.place() },
                note("command") { sink.command = try $0.list().map { try $0.string() } },
                note("parallel") { sink.parallel = try $0.integer(1...64) },
                note("timeLimit") { sink.timeLimit = try $0.duration(atLeast: .milliseconds(100)) },
                note("interval") { sink.interval = try $0.duration(atLeast: .seconds(5)) },
            ]))
        try check(&sink, given)
        return sink
    }

    /// Refuses keys that the kind of sink has no use for, and wants those that it needs.
    private func check(_ sink: inout AlertsConfiguration.Sink, _ given: Set<String>) throws {
        guard given.contains("type") else {
            let kinds = AlertsConfiguration.Sink.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw error("a sink has a `type`: one of \(kinds)")
        }
        let common: Set = ["type", "name", "severity", "detectors", "spoolMegabytes"]
        let own: Set<String>
        switch sink.kind {
        case .file:
            own = ["path"]
            guard sink.path.hasPrefix("/") else { throw error("a file has a `path` that begins with /") }
        case .syslog:
            own = sink.address == nil ? ["socket", "facility"] : ["address", "port", "facility"]
            if sink.address == nil && sink.path.isEmpty { sink.path = "/dev/log" }
            guard sink.address != nil || sink.path.hasPrefix("/") else {
                throw error("syslog has a `socket` that begins with /, or an `address`")
            }
        case .webhook, .alertmanager:
            own = sink.kind == .webhook ? ["url", "timeLimit"] : ["url", "timeLimit", "interval"]
            guard sink.url != nil else { throw error("\(sink.kind.rawValue) has a `url`") }
        case .command:
            own = ["command", "timeLimit", "parallel"]
            guard sink.command.first?.isEmpty == false else {
                throw error("a command has a `command`: a list of words")
            }
        }
        if let key = given.subtracting(common).subtracting(own).min() {
            throw error(
                "\(sink.kind.rawValue) takes no `\(key)`; it takes \(own.union(common).sorted().joined(separator: ", "))"
            )
        }
    }

    private func sinkName() throws -> String {
        let text = try string()
        let isName = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == 0x2d || byte == 0x5f
        }
        guard !text.isEmpty, text.utf8.count <= 64, isName else {
            throw error("\"\(text)\" is no name: letters, digits, - and _, for it names a directory")
        }
        return text
    }

    private func facility() throws -> Int {
        let text = try string()
        guard let number = AlertsConfiguration.Sink.facilities[text] else {
            let names = AlertsConfiguration.Sink.facilities.keys.sorted().joined(separator: ", ")
            throw error("\"\(text)\" where one of \(names) belongs")
        }
        return number
    }

    private func place() throws -> HTTPPlace {
        let text = try string()
        guard let place = HTTPPlace(text) else {
            throw error(
                text.lowercased().hasPrefix("https:")
                    ? "there is no TLS: use a `command` sink with a client that has it, or a proxy on loopback"
                    : "\"\(text)\" is not a URL such as http://HOST:PORT/PATH")
        }
        return place
    }
}
