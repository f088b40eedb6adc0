// SPDX-License-Identifier: Apache-2.0

package import DetectionModel
import NetworkModel

/// One client opens one short login after the other, all of one size.
package struct PasswordGuessing: Detector {
    static let perMinute = Threshold(
        "perMinute", 12, "connections/min", in: 1...1e6, "connections to one login service, at least")
    static let connections = Threshold(
        "connections", 15, "connections", in: 3...1e6, "connections since the record began, at least")
    static let slowPerMinute = Threshold(
        "slowPerMinute", 2, "connections/min", in: 0.01...1e6, "pace of a slow attempt, on average")
    static let slowConnections = Threshold(
        "slowConnections", 100, "connections", in: 3...1e6, "connections of a slow attempt")
    static let sameSize = Threshold(
        "sameSize", 0.25, "share", in: 0...1, "mean deviation of the bytes sent in a connection, at most, of their mean"
    )
    static let refusedShare = Threshold(
        "refusedShare", 0.5, "share", in: 0...1, "share of connections that were never established, at most")
    static let sources = Threshold(
        "sources", 8, "sources", in: 3...1e6, "different sources outside that guess at one service within ten minutes")
    static let capacity = 2048

    package static let guide = DetectorGuide(
        name: "password-guessing", title: "Password guessing", technique: "T1110", techniqueName: "Brute Force",
        severity: "medium; high from a workload, and from 300 connections on",
        about: """
            One client opens connection after connection to a login service and each ends like a failed login: SSH, FTP, Telnet, VNC, \
            RDP, SMB, mail, LDAP, databases, Redis. No payload is read: the pattern of the connections says it.
            """,
        method: """
            Connections to a login port are counted for each client and server. A guess is one where the client sends no more than \
            a failed login of that protocol needs (a table by port: 3.5 kB for SSH, 2.5 kB for MySQL, and so on), all about \
            equally much (`sameSize`), and the server sends no more than three times that. `perMinute` of them in a minute with \
            `connections` altogether, or `slowConnections` at `slowPerMinute`, are guessing. Where `sources` different sources \
            outside open such short, equal connections to one service within ten minutes, three or more each, and most of that \
            service's clients of these ten minutes do, it is guessed at by many together, and nobody is named.
            """,
        sources: [
            "A. Sperotto, R. Sadre, P. T. de Boer, A. Pras, Hidden Markov Model Modeling of SSH Brute-Force Attacks, DSOM 2009: flat, short flows",
            "R. Hofstede, L. Hendriks, A. Sperotto, A. Pras, SSH Compromise Detection using NetFlow/IPFIX, ACM CCR 2014",
            "M. Javed, V. Paxson, Detecting Stealthy, Distributed SSH Brute-Forcing, CCS 2013",
        ],
        thresholds: [perMinute, connections, slowPerMinute, slowConnections, sameSize, refusedShare, sources],
        evidence: [
            ("service", "the protocol that the port stands for"), ("connections", "connections in the record"),
            ("connections_per_minute", "in the last minute, or on average for a slow attempt"),
            ("short_connections", "of these closed soon after opening"),
            ("bytes_sent_each", "IP bytes of the client in a connection, mean"),
            ("bytes_sent_deviation", "mean deviation of these"),
            ("interval_seconds", "mean time between openings"),
            ("distinct_sources", "sources that guess together; then the figures above are of the last one"),
        ],
        nearMisses: [
            "Applications that connect to a database for each request: more bytes, of different sizes.",
            "Health checks of a login service: few bytes, or from inside, on a clock of whole seconds with hardly any jitter.",
            "git, rsync, Ansible and CI by SSH: more bytes, of different sizes; a right key and a command are 3.7 kB with a "
                + "present OpenSSH. A client that once had a longer connection has to guess as long as a slow one.",
            "A connection pool that fills: its connections stay.",
            "A service that is down: its connections are refused.",
        ],
        limits: [
            "A successful login among the guesses cannot be told from a failed one.",
            "Sources that come fewer than four times each are not seen as guessing, however many.",
            "Many equal, very short commands by an SSH client without post-quantum keys (before OpenSSH 9) look the same: mute it.",
            "Login services on other ports are not known.",
        ],
        capacity: capacity)

    /// A client that has had a session, not only logins.
    private struct Known: Remembered {
        var touched: UInt64
        var weight = 1.0
    }

    private static let knownFor: UInt64 = 86_400_000_000_000
    private let thresholds: Thresholds
    private var announcer = Announcer(capacity: PasswordGuessing.capacity)
    private var known = BoundedTable<PairKey, Known>(capacity: capacity, lifetime: knownFor)
    private var crowds = GuessingCrowds()

    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    package var forgotten: UInt64 { announcer.forgotten &+ known.forgotten &+ crowds.forgotten }

    package mutating func consider(_ activity: Activity) -> [Finding] {
        guard case .pair(let pair) = activity, pair.ipProtocol == .tcp, let service = ServicePorts.logins[pair.port]
        else { return [] }
        let isGuess = isShort(pair, service.name) && isFlat(pair, most: service.bytes) && !Regularity.isCheck(pair)
        if pair.sizeMean > service.bytes {
            known.update(PairKey(pair), at: pair.time, initial: { Known(touched: pair.time) }) {
                $0.touched = pair.time
            }
        }
        let isKnown = known[PairKey(pair)].map { $0.touched.distance(before: pair.time) < Self.knownFor } ?? false
        guard isGuess, !isKnown || Double(pair.connections) >= thresholds[Self.slowConnections] else {
            crowds.note(pair, isGuess: false)
            return []
        }
        if let pace = pace(pair) {
            crowds.note(pair, isGuess: true)
            return announcer.announce(finding(pair, service.name, pace), weight: Double(pair.connections))
        }
        guard !pair.isClientInside, ServicePorts.administration.contains(service.name) else { return [] }
        return together(pair, service.name)
    }

    private func finding(_ pair: PairActivity, _ service: String, _ pace: Double) -> Finding {
        let severity: Severity = pair.isClientInside || pair.connections >= 300 ? .high : .medium
        var finding = Self.finding(
            pair.time, since: pair.since, severity,
            "\(pair.client) opened \(pair.connections) short, equal connections to \(service) of \(pair.server), "
                + "as failed logins are.",
            evidence(pair, service, pace))
        (finding.source, finding.target, finding.port) = (pair.client, pair.server, pair.port)
        finding.sourceLength = pair.client.isIPv4 ? 32 : 128
        finding.ipProtocol = .tcp
        return finding
    }

    /// Guessing by many, each too seldom.
    private mutating func together(_ pair: PairActivity, _ service: String) -> [Finding] {
        let crowd = crowds.note(pair, isGuess: true)
        guard Double(crowd.guessing) >= thresholds[Self.sources], crowd.guessing >= 3 * crowd.others else { return [] }
        var finding = Self.finding(
            pair.time, since: crowd.since, .medium,
            "\(crowd.guessing) sources together opened short, equal connections to \(service) of \(pair.server), "
                + "as failed logins are.",
            evidence(pair, service, Double(pair.connectionsPerMinute)) + [.number("distinct_sources", crowd.guessing)])
        (finding.target, finding.port, finding.ipProtocol) = (pair.server, pair.port, .tcp)
        return announcer.announce(finding, weight: Double(crowd.guessing))
    }

    private func evidence(_ pair: PairActivity, _ service: String, _ pace: Double) -> [Evidence] {
        [
            Evidence("service", .text(service)), .number("connections", pair.connections),
            .number("connections_per_minute", pace), .number("short_connections", pair.short),
            .number("bytes_sent_each", pair.sizeMean), .number("bytes_sent_deviation", pair.sizeDeviation),
            .number("interval_seconds", Double(pair.intervalMean) / 1e6),
        ]
    }

    /// Half of what was opened ended soon, or is known to be refused; a guess or two may be under way.
    ///
    /// Of connections side by side no end is seen: then so many of them that no pool of a program is meant.
    private func isShort(_ pair: PairActivity, _ service: String) -> Bool {
        let ended = UInt64(pair.short) * 2 + UInt64(pair.failed) + 2
        let many: UInt64 = ServicePorts.databases.contains(service) ? 300 : 60
        return ended >= UInt64(pair.connections) || UInt64(pair.connections) >= many && ended < 20
    }

    /// Connections a minute if that is a guesser's pace.
    private func pace(_ pair: PairActivity) -> Double? {
        let count = Double(pair.connections)
        guard Double(pair.failed) <= thresholds[Self.refusedShare] * count else { return nil }
        let late = Double(pair.connectionsPerMinute)
        if late >= thresholds[Self.perMinute], count >= thresholds[Self.connections] { return late }
        let mean = count / max(1, pair.since.distance(before: pair.time).seconds / 60)
        return count >= thresholds[Self.slowConnections] && mean >= thresholds[Self.slowPerMinute] ? mean : nil
    }

    private func isFlat(_ pair: PairActivity, most: UInt32) -> Bool {
        let opened = UInt64(max(1, pair.connections - min(pair.failed, pair.connections)))
        // Sizes are known once a connection has closed; until then the average of all bytes must do.
        let mean = pair.sizeMean > 0 ? UInt64(pair.sizeMean) : pair.bytesSent / opened
        return mean > 0 && mean <= UInt64(most) && pair.bytesReceived / opened <= 3 * UInt64(most)
            && Double(pair.sizeDeviation) <= thresholds[Self.sameSize] * Double(max(1, pair.sizeMean))
    }
}

/// What intervals between connections say.
enum Regularity {
    /// Mean deviation of the intervals, of their mean.
    static func jitter(_ pair: PairActivity) -> Double {
        pair.intervalMean == 0 ? 1 : Double(pair.intervalDeviation) / Double(pair.intervalMean)
    }

    /// A health check: on a clock, and from inside or with less than any login sends.
    static func isCheck(_ pair: PairActivity) -> Bool {
        isClockwork(pair) && (pair.isClientInside || pair.sizeMean < 500)
    }

    /// A timer of whole seconds with hardly any jitter.
    ///
    /// Who waits for an answer before he goes on drifts.
    static func isClockwork(_ pair: PairActivity) -> Bool {
        guard pair.intervals >= 8, pair.intervalMean >= 900_000 else { return false }
        let second = (Double(pair.intervalMean) / 1e6).rounded()
        let drift = abs(Double(pair.intervalMean) - second * 1e6)
        return jitter(pair) <= 0.05 && drift <= 0.02 * second * 1e6
    }
}
