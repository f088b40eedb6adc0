// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// A host with a sensing agent (the router), a workload behind it (the server), and everybody else (the client).
///
/// What they do all day ends with the value.
final class Town {
    /// A shell loop in a namespace, which writes a line `ok` for each success.
    struct Activity {
        let name: String
        let namespace: String
        let script: String
    }

    let host: SensedHost
    private var servers: [pid_t] = []
    private var running: [pid_t] = []

    init(agentPath: String, tool: String) throws {
        host = try SensedHost(agentPath: agentPath, tool: tool)
        for namespace in [topology.client, topology.router, topology.server] { try serve(namespace) }
        Clocks.sleep(nanoseconds: 500_000_000)
    }

    deinit {
        for process in running + servers { kill(process, SIGTERM) }
        for process in running + servers { while waitpid(process, nil, 0) < 0, errno == EINTR {} }
    }

    // MARK: - Who is there

    var topology: Topology { host.topology }
    private var scratch: ScratchDirectory { host.scratch }

    /// Web pages, names and a sink for bandwidth at each of the three.
    private func serve(_ namespace: String) throws {
        let folder = "\(scratch.path)/\(namespace)"
        try FileManager.default.createDirectory(atPath: folder + "/site", withIntermediateDirectories: true)
        for page in 0..<40 {
            let links = (1...4).map { "<a href=\"p\((page * 4 + $0) % 40).html\">next</a>" }.joined()
            let text = "<html>\(links)\(String(repeating: "text ", count: 400))</html>"
            for name in page == 0 ? ["index", "p0"] : ["p\(page)"] {
                try text.write(toFile: "\(folder)/site/\(name).html", atomically: false, encoding: .utf8)
            }
        }
        try Command.run(["truncate", "-s", "20M", "\(folder)/site/package"])
        try """
        daemon off; pid \(folder)/nginx.pid; error_log \(folder)/error.log; worker_processes 1;
        events { worker_connections 1024; }
        http { access_log off; root \(folder)/site; client_max_body_size 64m; client_body_temp_path \(folder)/body;
          proxy_temp_path \(folder)/proxy; fastcgi_temp_path \(folder)/fcgi; uwsgi_temp_path \(folder)/uwsgi;
          scgi_temp_path \(folder)/scgi;
          server { listen 80; location /up { client_body_in_file_only clean; return 204; } } }

        """.write(toFile: folder + "/nginx.conf", atomically: false, encoding: .utf8)
        try """
        server:
          interface: 0.0.0.0
          access-control: 0.0.0.0/0 allow
          do-daemonize: no
          username: ""
          chroot: ""
          directory: "\(folder)"
          pidfile: "\(folder)/unbound.pid"
          use-syslog: no
          local-zone: "example." redirect
          local-data: "example. A 10.219.1.2"
          local-zone: "gone.test." always_nxdomain
        remote-control:
          control-enable: no

        """.write(toFile: folder + "/unbound.conf", atomically: false, encoding: .utf8)
        let inside = ["nsenter", "--net=/run/netns/\(namespace)"]
        for command in [
            ["nginx", "-e", "\(folder)/error.log", "-c", "\(folder)/nginx.conf"],
            ["unbound", "-c", "\(folder)/unbound.conf"], ["iperf3", "-s"],
        ] {
            servers.append(try Command.spawn(inside + command, output: "\(folder)/\(command[0]).log"))
        }
    }

    // MARK: - What they do

    /// Lets all of it go on for a time; the number of lines that each wrote, one for each success.
    func live(_ activities: [Activity], seconds: Int) throws -> [(name: String, successes: Int)] {
        let outputs = activities.indices.map { "\(scratch.path)/activity\($0)" }
        for (activity, output) in zip(activities, outputs) {
            // timeout(1) hands the signal to what it started, and ends it if nobody else does.
            running.append(
                try Command.spawn(
                    [
                        "nsenter", "--net=/run/netns/\(activity.namespace)", "timeout", "-k", "2", "\(seconds + 60)",
                        "sh", "-c", "cd \(scratch.path); while :; do \(activity.script); done",
                    ], output: output))
        }
        Clocks.sleep(nanoseconds: UInt64(seconds) * 1_000_000_000)
        for process in running { kill(process, SIGTERM) }
        for process in running { while waitpid(process, nil, 0) < 0, errno == EINTR {} }
        running = []
        return zip(activities, outputs).map { activity, output in
            let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
            return (activity.name, text.split(separator: "\n").filter { $0.hasPrefix("ok") }.count)
        }
    }

    /// A time at which to let sensors and detectors come to a conclusion.
    func settle() { Clocks.sleep(nanoseconds: 3_000_000_000) }

    // MARK: - What the agent says

    private struct AlertList: Decodable {
        struct Alert: Decodable {
            var detector: String
            var summary: String
        }
        var alerts: [Alert]
    }

    private struct Status: Decodable {
        struct Detection: Decodable { var reports: UInt64 }
        var detection: Detection?
    }

    /// What was found so far, a line each.
    func alerts() throws -> [String] {
        let list = try JSONDecoder().decode(AlertList.self, from: Data(try host.ask("alerts", "list").utf8))
        return list.alerts.map { "\($0.detector): \($0.summary)" }
    }

    /// What the detectors were told so far.
    func reports() throws -> UInt64 {
        try JSONDecoder().decode(Status.self, from: Data(try host.ask("status").utf8)).detection?.reports ?? 0
    }
}
