// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// Who looks for attacks on the host, told what to ask of it.
protocol FindingTool {
    static var name: String { get }

    /// How often it has named who attacks, or where the sources are forged who is attacked.
    func findings(of attack: Attack) -> Int
}

/// The agent, by what its subscriber is told.
final class AgentAlerts: FindingTool {
    static let name = "ours"

    private let path: String
    private let watching: AgentProcess

    private struct Notice: Decodable {
        struct Alert: Decodable {
            var detector: String
            var source: String?
            var target: String?
        }
        var kind: String
        var alert: Alert
    }

    init(_ host: SensedHost) throws {
        path = host.scratch.path + "/alerts"
        watching = try AgentProcess(host.toolCommand(["alerts", "watch"]), environment: [], output: path)
    }

    deinit { watching.kill() }

    private var opened: [Notice.Alert] {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            guard let notice = try? JSONDecoder().decode(Notice.self, from: Data(line.utf8)) else { return nil }
            return notice.kind == "opened" ? notice.alert : nil
        }
    }

    func findings(of attack: Attack) -> Int {
        opened.count { alert in
            alert.detector == attack.detector && alert.source == attack.source
                && (attack.source != nil || alert.target == attack.target)
        }
    }

    /// For messages.
    var summary: String {
        opened.map { "\($0.detector) \($0.source ?? "-") \($0.target ?? "-")" }.joined(separator: ", ")
    }
}

/// psad over the log of a firewall that refuses everything but the web; looks every second, five times as often as it comes.
///
/// It reads the log of ulogd, as its manual describes: the kernel's own log has no namespaces.
final class Psad: FindingTool {
    static let name = "psad"

    private let folder: String
    private let logger: AgentProcess
    private let detector: AgentProcess

    init(_ host: SensedHost) throws {
        let unpacked = FileManager.default.currentDirectoryPath + "/.build/peers/psad"
        guard let stock = try? String(contentsOfFile: unpacked + "/etc/psad/psad.conf", encoding: .utf8) else {
            throw BenchError("psad is not below .build/peers: run 'make bootstrap'")
        }
        folder = host.scratch.path + "/psad"
        let inside = ["nsenter", "--net=/run/netns/\(host.topology.router)"]
        for part in ["log", "run", "fifo", "lib"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
        }
        try Self.logRefused(host.topology)
        try """
        [global]
        logfile="\(folder)/ulogd.log"
        stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU
        [log1]
        group=\(Self.group)
        [emu1]
        file="\(folder)/log/ulogd.log"
        sync=1

        """.write(toFile: folder + "/ulogd.conf", atomically: false, encoding: .utf8)
        // Of what is said twice the first counts.
        try """
        HOSTNAME bench;
        PSAD_DIR \(folder)/log;
        PSAD_RUN_DIR \(folder)/run;
        PSAD_FIFO_DIR \(folder)/fifo;
        PSAD_LIBS_DIR \(folder)/lib;
        PSAD_CONF_DIR \(unpacked)/etc/psad;
        CHECK_INTERVAL 1;
        SYSLOG_DAEMON ulogd;
        ENABLE_SYSLOG_FILE N;
        AUTO_DETECT_JOURNALCTL N;
        ALERTING_METHODS noemail;
        ENABLE_FW_LOGGING_CHECK N;
        mailCmd /bin/true;
        sendmailCmd /bin/true;
        whoisCmd /bin/true;
        psadwatchdCmd /bin/true;
        kmsgsdCmd /bin/true;
        fwcheck_psadCmd \(unpacked)/usr/sbin/fwcheck_psad;
        psadCmd \(unpacked)/usr/sbin/psad;
        \(stock)
        """.write(toFile: folder + "/psad.conf", atomically: false, encoding: .utf8)
        logger = try AgentProcess(
            inside + ["ulogd", "-c", folder + "/ulogd.conf"], environment: [], output: folder + "/ulogd.out")
        detector = try AgentProcess(
            inside + [
                "perl", unpacked + "/usr/sbin/psad", "-c", folder + "/psad.conf", "--no-daemon", "--no-whois",
                "--no-rdns", "--no-fwcheck", "--no-ipt-errors",
            ], environment: [], output: folder + "/psad.out")
    }

    deinit {
        detector.kill()
        logger.kill()
    }

    private static let group = 5

    /// Only logged: everybody is to see the same traffic.
    private static func logRefused(_ topology: Topology) throws {
        for chain in ["INPUT", "FORWARD"] {
            for port in ["--dport", "--sport"] {
                try topology.inRouter(["iptables", "-A", chain, "-p", "tcp", port, "80", "-j", "ACCEPT"])
            }
            try topology.inRouter([
                "iptables", "-A", chain, "-j", "NFLOG", "--nflog-group", "\(group)", "--nflog-prefix", "DROP ",
                "--nflog-threshold", "1",
            ])
        }
    }

    /// It keeps a directory for each scanner, once that has reached its first level of danger.
    func findings(of attack: Attack) -> Int {
        let scanners = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/log")) ?? []
        return scanners.count { scanner in
            (attack.source.map { scanner == $0 } ?? scanner.hasPrefix(Attack.forgedPrefix))
                && FileManager.default.fileExists(atPath: "\(folder)/log/\(scanner)/danger_level")
        }
    }
}

/// FastNetMon on the host's outer link, with its flow limit on and rates over one second: quicker than as it comes.
final class FastNetMon: FindingTool {
    static let name = "fastnetmon"

    private let log: String
    private let process: AgentProcess

    init(_ host: SensedHost) throws {
        let folder = host.scratch.path + "/fastnetmon"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try "10.219.0.0/16\n".write(toFile: folder + "/networks", atomically: false, encoding: .utf8)
        try "".write(toFile: folder + "/friends", atomically: false, encoding: .utf8)
        // Of what is said twice the last counts.
        let stock = try String(contentsOfFile: "/etc/fastnetmon.conf", encoding: .utf8)
        try """
        \(stock)
        disable_usage_report = on
        mirror_afpacket = on
        interfaces = n0
        ban_for_flows = on
        average_calculation_time = 1
        enable_api = off
        prometheus = off
        networks_list_path = \(folder)/networks
        white_list_path = \(folder)/friends
        pid_path = \(folder)/pid
        cli_stats_file_path = \(folder)/statistics
        cli_stats_ipv6_file_path = \(folder)/statistics6
        notify_script_path = \(folder)/nobody

        """.write(toFile: folder + "/fastnetmon.conf", atomically: false, encoding: .utf8)
        log = folder + "/log"
        process = try AgentProcess(
            [
                "nsenter", "--net=/run/netns/\(host.topology.router)", "fastnetmon", "--configuration_file",
                folder + "/fastnetmon.conf", "--log_file", log, "--disable_pid_logic",
            ], environment: [], output: folder + "/output")
    }

    deinit { process.kill() }

    /// It names the address within its networks, whoever attacks.
    func findings(of attack: Attack) -> Int {
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").count { line in
            line.contains("Attack with direction") && line.contains("IP: \(attack.target) ")
        }
    }
}
