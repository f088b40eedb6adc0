// SPDX-License-Identifier: Apache-2.0

import TestBed

extension TestWorkload {
    /// Echoes what comes in on tcp/80, tcp/81, udp/7001 and udp/7002.
    func startEchoes() throws {
        for port in [80, 81] {
            _ = try namespace.start(["socat", "TCP6-LISTEN:\(port),ipv6only=0,fork,reuseaddr", "EXEC:cat"])
        }
        for port in [7001, 7002] {
            _ = try namespace.start(["socat", "UDP6-RECVFROM:\(port),ipv6only=0,fork", "EXEC:cat"])
        }
    }

    /// Starts the distribution's nginx with one page on tcp/80.
    func startNginx(page: String) throws {
        let directory = namespace.bed.path("nginx-\(namespace.name)")
        for path in [directory, "\(directory)/www"] { try makeDirectory(path) }
        try writeFile("\(directory)/www/index.html", page + "\n")
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
            "\($0)_temp_path \(directory)/\($0);"
        }
        try writeFile(
            "\(directory)/nginx.conf",
            """
            daemon off;
            worker_processes 1;
            pid \(directory)/nginx.pid;
            error_log stderr;
            events {}
            http {
                access_log off;
                \(temporary.joined(separator: "\n    "))
                server { listen 80; listen [::]:80; root \(directory)/www; }
            }

            """)
        _ = try namespace.start(["nginx", "-p", directory, "-c", "\(directory)/nginx.conf", "-e", "stderr"])
    }

    /// Starts the distribution's redis on tcp/6379, without files.
    func startRedis() throws {
        _ = try namespace.start([
            "redis-server", "--bind", "0.0.0.0", "::", "--protected-mode", "no", "--save", "", "--appendonly", "no",
            "--dir", namespace.bed.directory,
        ])
    }
}

extension TestNamespace {
    /// Starts the distribution's unbound, which answers everybody, with these lines of its section `server` and others behind.
    func startUnbound(server: String, _ sections: String = "") throws {
        let path = bed.path("unbound.conf")
        let own = server.split(separator: "\n").map { "  \($0)\n" }.joined()
        try writeFile(
            path,
            """
            server:
              interface: 0.0.0.0
              interface: ::0
              interface-automatic: yes
              access-control: 0.0.0.0/0 allow
              access-control: ::/0 allow
              do-daemonize: no
              use-syslog: no
              chroot: ""
              username: ""
              pidfile: ""
              directory: "\(bed.directory)"
            \(own)remote-control:
              control-enable: no
            \(sections)

            """)
        _ = try start(["unbound", "-d", "-c", path])
    }
}
