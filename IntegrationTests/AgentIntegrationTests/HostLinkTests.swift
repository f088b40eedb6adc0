// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import TestBed
import Testing

/// Under deny-all the host must keep what every conversation rests on: its neighbours and its address.
@Suite(.serialized) struct HostLinkTests {
    @Test func `neighbours find each other under deny-all`() async throws {
        try await withTestBed(subnet: 52) { bed in
            let host = try await HostBed(bed)
            _ = try await host.startAgent()
            _ = try await host.apply(HostBed.denyAll).checked()
            let ssh = Probe.all([.tcp(22)], host.hostAddresses)
            for _ in 0..<2 {
                // Both sides have to ask, and to answer, anew.
                for namespace in [host.host.namespace, host.client] { try await namespace.shell("ip neigh flush all") }
                #expect(try await host.client.reach(ssh, expecting: ssh) == ssh)
                let names = Probe.all([.udp(53)], host.clientAddresses)
                #expect(try await host.host.namespace.reach(names, expecting: names) == names)
            }
            let asked = try await host.client.run(["arping", "-c", "1", "-w", "2", "-I", "eth0", host.hostAddresses[0]])
            #expect(asked.status == 0, "\(asked.output)")
            // Duplicate address detection of a new address ends well, and the address works.
            let late = "fdbb:\(bed.subnet):7::9"
            try await host.host.namespace.shell("sysctl -qw net.ipv6.conf.up0.accept_dad=1")
            try await host.host.namespace.shell("ip address add \(late)/64 dev up0")
            try await eventually("the new address is used") {
                try await host.client.reach(Probe.all([.tcp(22)], [late])).count == 1
            }
        }
    }

    @Test func `a DHCP lease is taken and renewed under deny-all`() async throws {
        try await withTestBed(subnet: 52) { bed in
            let host = try await HostBed(bed)
            _ = try await host.startAgent()
            _ = try await host.apply(HostBed.denyAll).checked()
            let range = "100.\(64 + bed.subnet).7"
            try writeFile(
                bed.path("udhcpd.conf"),
                """
                start \(range).101
                end \(range).109
                interface eth0
                lease_file \(bed.path("leases"))
                pidfile \(bed.path("udhcpd.pid"))
                option subnet 255.255.255.0
                option lease 600

                """)
            try writeFile(bed.path("leases"), "")
            _ = try host.client.start(["busybox", "udhcpd", "-f", bed.path("udhcpd.conf")])
            let script = bed.path("lease.sh")
            try writeFile(
                script,
                """
                #!/bin/sh
                [ -z "$ip" ] || ip address replace "$ip/24" dev "$interface"
                echo "$1 $ip"

                """)
            try await bed.shell("chmod +x \(script)")
            let client = try host.host.namespace.start(
                ["busybox", "udhcpc", "-f", "-i", "up0", "-s", script, "-t", "20", "-T", "1"])
            try await eventually("a lease", within: .seconds(15)) { client.output.contains("bound \(range).10") }
            try await eventually("the agent knows the address") {
                try await host.control.endpoint("host").addresses.contains { $0.hasPrefix("\(range).10") }
            }
            // Renewal is a conversation of its own, from the new address.
            client.signal(SIGUSR1)
            try await eventually("the lease is renewed", within: .seconds(15)) {
                guard client.output.contains("renew \(range)") else {
                    let drops = try await host.flows().filter { $0.verdict == "deny" }.map { "\($0)" }
                    throw TestBedError("\(client.output)\(client.errors)\(drops)")
                }
                return true
            }
        }
    }

    @Test func `broadcasts and groups reach the host under deny-all`() async throws {
        try await withTestBed(subnet: 52) { bed in
            let host = try await HostBed(bed)
            _ = try await host.startAgent()
            _ = try await host.apply(HostBed.denyAll).checked()
            let base = "100.\(64 + bed.subnet).7"
            let receivers = [
                (
                    "UDP4-RECV:5301,ip-add-membership=224.0.0.251:up0",
                    "UDP4-DATAGRAM:224.0.0.251:5301,ip-multicast-if=\(base).2"
                ),
                ("UDP4-RECV:5302", "UDP4-DATAGRAM:\(base).255:5302,broadcast"),
                (
                    // All nodes, a group without a report of its own: socat 1.8.0 joins no IPv6 group.
                    "UDP6-RECV:5303", "UDP6-DATAGRAM:[ff02::1%eth0]:5303"
                ),
            ]
            for (receiver, sender) in receivers {
                let process = try host.host.namespace.start(["socat", "-u", receiver, "-"])
                try await eventually("\(receiver) receives") {
                    try await host.client.run(["sh", "-c", "echo hello | socat -u - '\(sender)'"])
                    return process.output.contains("hello")
                }
            }
        }
    }

    @Test func `fragments of IPv6 with extension headers are judged as what they are`() async throws {
        try await withTestBed(subnet: 52) { bed in
            let host = try await HostBed(bed)
            _ = try await host.startAgent()
            _ = try await host.apply(
                HostBed.policy(ingress: "{fromEntities: [world], \(HostBed.port(7005, "UDP"))}")
            ).checked()
            let own = host.hostAddresses[1]
            // Destination options (59) stand behind the fragment header, hop-by-hop options (54) before it.
            for (number, option) in [",setsockopt=41:59:x0000010400000000", ",setsockopt=41:54:x0000010400000000", ""]
                .enumerated()
            {
                let received = bed.path("received\(number)")
                for (port, isOpen) in [(7005, true), (7006, false)] {
                    let server = try host.host.namespace.start(
                        ["socat", "-u", "-b", "9000", "UDP6-RECV:\(port)", "CREATE:\(received)-\(port)"])
                    let send = "head -c 5000 /dev/zero | socat -u -b 9000 - 'UDP6:[\(own)]:\(port)\(option)'"
                    let size = { try await bed.run(["stat", "-c", "%s", "\(received)-\(port)"]).text }
                    if isOpen {
                        try await eventually("a datagram in fragments arrives, option \"\(option)\"") {
                            try await host.client.shell(send)
                            return try await Int(size()) ?? 0 >= 5000
                        }
                    } else {
                        try await host.client.shell(send)
                        try await Task.sleep(for: .milliseconds(200))
                        #expect(try await (Int(size()) ?? 0) == 0)
                    }
                    await server.kill()
                }
            }
        }
    }
}
