// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Who is called an attacker while real programs do what they do all day, past the sensors of a real agent.
enum OrdinaryTraffic: Benchmark {
    static let name = "ordinary"
    static let summary = "alarms in ten minutes of ordinary traffic"

    static func run(_ effort: Effort) throws -> [Row] {
        let town = try Town(agentPath: effort.agentPath, tool: effort.toolPath)
        let seconds = effort.isQuick ? 60 : 600
        report("  ordinary: \(activities(town.topology).count) kinds of traffic for \(seconds) s")
        for (name, successes) in try town.live(activities(town.topology), seconds: seconds) {
            report("  ordinary, \(name): \(successes)")
            guard successes >= seconds / 60 else { throw BenchError("\(name) worked \(successes) times only") }
        }
        town.settle()
        let (alerts, reports) = (try town.alerts(), try town.reports())
        for alert in alerts { report("  ordinary, alarm: \(alert)") }
        report("  ordinary: the detectors were told of \(reports) things")
        guard reports > 100 else { throw BenchError("the detectors were told of \(reports) things: nobody looked") }
        return [
            Row(
                "alarms in \(seconds / 60) min of ordinary traffic", unit: "alarms", ours: Double(alerts.count),
                bound: 0)
        ]
    }

    /// Each writes a line `ok` for every success.
    private static func activities(_ topology: Topology) -> [Town.Activity] {
        let host = "10.219.1.1", shop = Topology.serverAddress, outside = Topology.clientAddress
        func ab(_ options: String, _ to: String) -> String { "ab -q \(options) http://\(to)/ >ab.log 2>&1 && echo ok" }
        func fetch(_ url: String) -> String { "curl -sf -m 20 -o /dev/null http://\(url) && echo ok" }
        let client = topology.client
        return [
            Town.Activity(name: "web, the host", namespace: client, script: ab("-n 60 -c 6", host) + "; sleep 0.4"),
            Town.Activity(
                name: "web, the workload", namespace: client, script: ab("-n 60 -c 6", shop) + "; sleep 0.4"),
            Town.Activity(
                name: "web with keep-alive", namespace: client, script: ab("-k -n 500 -c 8", shop) + "; sleep 0.3"),
            Town.Activity(
                name: "200 users behind one address", namespace: client,
                script: ab("-n 600 -c 200", shop) + "; sleep 1"),
            Town.Activity(
                name: "questions about names", namespace: client,
                script: """
                    for i in 1 2 3 4 5 6 7 8; do dig +tries=1 +time=2 +short @\(host) www$i.example >dig.log && echo ok; \
                    done; dig +tries=1 +short @\(host) typo.gone.test; sleep 0.5
                    """),
            Town.Activity(
                name: "questions of the workload", namespace: topology.server,
                script: """
                    for i in 1 2 3 4 5; do dig +tries=1 +time=2 +short @\(outside) cdn-$i.example >dig2.log && echo ok; \
                    done; dig +tries=1 +short @\(outside) 2.1.219.10.in-addr.gone.test; sleep 0.5
                    """),
            Town.Activity(
                name: "iperf3", namespace: client,
                script: "iperf3 -t 3 -b 400M -c \(shop) >iperf.log 2>&1 && echo ok; sleep 4"),
            Town.Activity(
                name: "iperf3 over UDP", namespace: topology.server,
                script: "iperf3 -u -b 20M -t 3 -c \(outside) >iperf2.log 2>&1 && echo ok; sleep 7"),
            Town.Activity(
                name: "downloads of packages", namespace: topology.server,
                script: "for i in 1 2 3 4 5 6; do \(fetch("\(outside)/package")); done; sleep 3"),
            Town.Activity(
                name: "backups", namespace: topology.server,
                script: """
                    curl -sf -m 30 -T \(client)/site/package http://\(outside)/up >/dev/null && echo ok; sleep 10
                    """),
            Town.Activity(
                name: "health checks", namespace: topology.router,
                script: "\(fetch("\(shop)/index.html")); nc -z -w 1 \(shop) 80 && echo ok; sleep 1"),
            Town.Activity(
                name: "a balancer's health checks", namespace: client,
                script: """
                    \(fetch("\(host)/index.html")); nc -z -w 1 \(host) 80; ping -c 1 -W 1 \(host) >ping.log; sleep 1
                    """),
            Town.Activity(
                name: "a crawler", namespace: topology.server,
                script: "wget -q -e robots=off -r -l 6 -P crawl http://\(outside)/ && echo ok; rm -rf crawl; sleep 2"),
        ]
    }
}
