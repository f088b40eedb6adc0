// SPDX-License-Identifier: Apache-2.0

import BPFRuntime
import CDatapathABI
import ControlAPI
import TestBed

/// A client behind the real agent, and outside of it a real resolver (unbound) with a zone and a server at every address
/// of that zone.
struct NameField {
    let host: TestHost
    let agent: TestAgent
    let client: TestWorkload
    /// Nobody's: the world.
    let outside: TestWorkload

    var control: ControlClient { ControlClient(transport: SocketTransport(path: agent.socketPath)) }

    /// Names `n0.deep.test` … of the zone: with none, one or two aliases on the way, A and AAAA.
    static let nameCount = 10_300

    /// `resolvers`: whose answers are read; nil: of the field's own.
    init(_ bed: TestBed, dns: String = "grace: 2s", resolvers: String? = nil) async throws {
        host = try await bed.host()
        let resolvers = resolvers ?? "10.\(bed.byte).0.53, \"fdbb:\(bed.subnet)::1035\""
        agent = try await host.agent(configuration: "dns: {resolvers: [\(resolvers)], \(dns)}")
        client = try await host.addWorkload("cli", number: 3)
        outside = try await host.addWorkload("out", number: 53)
        try await host.namespace.shell(
            """
            ip route add 198.18.0.0/15 via \(outside.address4)
            ip route add 2001:db8::/32 via \(outside.address6)
            """)
        // Room for every connection of a test: a server that gets no time drops none.
        try await outside.namespace.shell(
            """
            sysctl -qw net.core.somaxconn=65535 net.ipv4.tcp_max_syn_backlog=65535
            ip route add local 198.18.0.0/15 dev lo
            ip -6 route add local 2001:db8::/32 dev lo
            """)
        try agent.writeWorkloads([(client, "client", ["app": "client"])])
        try startServer()
        try startResolver(bed)
        try await eventually("the resolver answers", within: .seconds(60)) {
            try await client.canConnect(to: outside.address4, port: 53)
        }
        try await eventually("the server answers", within: .seconds(60)) {
            try await client.canConnect(to: "198.18.0.1", port: 443)
        }
    }

    private func startServer() throws {
        _ = try outside.namespace.start([
            "perl", "-MSocket=:all", "-MIO::Select", "-e",
            """
            for my $f (AF_INET, AF_INET6) {
              socket(my $s, $f, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
              setsockopt($s, IPPROTO_IPV6, IPV6_V6ONLY, 1) if $f == AF_INET6;
              bind($s, $f == AF_INET ? pack_sockaddr_in(443, INADDR_ANY) : pack_sockaddr_in6(443, IN6ADDR_ANY)) or die $!;
              listen($s, 65535); push @l, $s }
            my $sel = IO::Select->new(@l);
            while (1) { for my $s ($sel->can_read) { accept(my $c, $s); close $c } }
            """,
        ])
    }

    private func startResolver(_ bed: TestBed) throws {
        var zone = "$ORIGIN test.\n$TTL 3600\n@ SOA ns root 1 3600 600 86400 300\n@ NS ns\nns A \(outside.address4)\n"
        zone += "late.other A 198.19.255.2\n"
        for number in 0..<NameField.nameCount {
            var owner = "n\(number).deep"
            for hop in 0..<(number % 3) {
                zone += "\(owner) CNAME h\(hop)-\(number).cdn\n"
                owner = "h\(hop)-\(number).cdn"
            }
            zone += "\(owner) A 198.18.\(number / 250).\(number % 250 + 1)\n"
            zone += "\(owner) AAAA 2001:db8::\(String(number + 1, radix: 16))\n"
        }
        for number in 1...60 { zone += "many.deep A 198.19.2.\(number)\nmany.deep AAAA 2001:db8:2::\(number)\n" }
        for number in 0..<5 { zone += "n\(number).nope A 198.19.1.\(number + 1)\n" }
        // Last: what says no time of its own has that of the line before it.
        zone += "short.other 1 A 198.19.255.1\n"
        try writeFile(bed.path("zone"), zone)
        try outside.namespace.startUnbound(
            server: """
                module-config: "iterator"
                local-zone: "test." nodefault
                """,
            """
            auth-zone:
              name: "test."
              zonefile: "\(bed.path("zone"))"
              for-downstream: yes
              for-upstream: yes
            """)
    }

    /// Lets the client ask the resolver, and reach what these selectors say on tcp/443.
    func policy(_ selectors: String...) -> String {
        """
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: names, namespace: shop}
        spec:
          endpointSelector: {matchLabels: {app: client}}
          egress:
            - toCIDR: [\(outside.address4)/32, "\(outside.address6)/128"]
              toPorts:
                - ports: [{port: "53", protocol: ANY}]
                  rules: {dns: [{matchPattern: "*"}]}
            - toFQDNs: [\(selectors.map { "{matchPattern: \"\($0)\"}" }.joined(separator: ", "))]
              toPorts: [{ports: [{port: "443", protocol: TCP}]}]

        """
    }

    /// Starts the agent and waits until the client is attached.
    func startAgent() async throws -> SpawnedProcess {
        let process = try agent.start()
        try await eventually("the agent has attached the client", within: .seconds(120)) {
            if let status = process.exitStatus {
                throw TestBedError("the agent ended with status \(status): \(process.errors)")
            }
            let report = try await control.status()
            return report.condition == .ready && report.state.attachedEndpoints == 1
        }
        return process
    }

    /// Writes a policy and waits until it is in force.
    func enforce(_ text: String) async throws {
        let before = try await control.status().state.generation
        try agent.writePolicy("names.yaml", text)
        try await eventually("the policy is in force", within: .seconds(60)) {
            try await control.status().state.generation > before
        }
    }

    /// What became of resolving names and connecting to each of their addresses at once.
    struct Tally: Equatable {
        var connected = 0
        var refused = 0
        /// What was refused, and how, of the first few.
        var reasons: [String] = []

        static func == (a: Tally, b: Tally) -> Bool { (a.connected, a.refused) == (b.connected, b.refused) }
    }

    /// Connections of DNS whose messages segments have cut.
    func keptStreams() throws -> Int {
        let path = "\(agent.pinDirectory)/v\(BULKHEAD_ABI_VERSION)/maps/fqdn_stream_map"
        guard let pinned = try FileDescriptor.pinned(at: path) else { throw TestBedError("no pin \(path)") }
        let table = try MappedArray(pinned, name: path)
        return (0..<table.byteCount / table.elementStride).reduce(0) { count, bucket in
            let marks = (0..<Int(FQDN_WAYS)).map { bucket * table.elementStride + 8 * $0 }
            return count + marks.filter { table.loadAcquiringDoubleWord(at: $0) != 0 }.count
        }
    }

    /// `resolveAndConnect` by several clients at a time.
    func resolveAndConnectTogether(_ numbers: Range<Int>, clients: Int = 3) async throws -> Tally {
        let size = (numbers.count + clients - 1) / clients
        let parts = stride(from: numbers.lowerBound, to: numbers.upperBound, by: size).map {
            $0..<min($0 + size, numbers.upperBound)
        }
        return try await withThrowingTaskGroup(of: Tally.self) { group in
            for part in parts { group.addTask { try await resolveAndConnect(part) } }
            var sum = Tally()
            for try await tally in group {
                sum.connected += tally.connected
                sum.refused += tally.refused
                sum.reasons += tally.reasons
            }
            return sum
        }
    }

    /// Resolves `pattern` with each of these numbers in random case (`getaddrinfo`), then connects to every address.
    ///
    /// Connected is who needed one SYN: the first packet was let through, however little time anybody here got to see it.
    func resolveAndConnect(
        _ numbers: Range<Int>, _ pattern: String = "n%d.deep.test", resolver: String? = nil, options: String = ""
    ) async throws -> Tally {
        let bed = host.bed
        let file = bed.path("resolv-\(numbers.lowerBound)")
        try writeFile(file, "nameserver \(resolver ?? outside.address4)\noptions timeout:10 attempts:3 \(options)\n")
        let script = """
            use Socket qw(:all); my ($ok, $bad) = (0, 0);
            # Empty if one SYN was enough, else why not.
            sub failure {
              my ($family, $address) = @_;
              socket(my $s, $family, SOCK_STREAM | SOCK_NONBLOCK, 0) or return $!;
              connect($s, $address) || $!{EINPROGRESS} or return $!;
              while (1) {
                vec(my $w = "", fileno($s), 1) = 1;
                my $ready = select(undef, $w, undef, 0.2) > 0;
                # tcpi_total_retrans
                return "SYN sent again" if unpack "x100 L", getsockopt($s, IPPROTO_TCP, TCP_INFO);
                return $! = unpack "i", getsockopt($s, SOL_SOCKET, SO_ERROR) if $ready } }
            sub count { my ($name, $why) = @_; $ok++, return unless $why; print STDERR "$name: $why\\n" if $bad++ < 4 }
            for my $i (\(numbers.lowerBound)..\(numbers.upperBound - 1)) {
              my $name = join "", map { rand() < 0.5 ? uc : lc } split //, sprintf("\(pattern)", $i);
              my ($e, @a) = getaddrinfo($name, 443, {socktype => SOCK_STREAM});
              count($name, $e) if $e;
              count($name, failure($_->{family}, $_->{addr})) for @a }
            print "$ok $bad\\n";
            """
        let own = bed.path("client-\(numbers.lowerBound).pl")
        try writeFile(own, script)
        let result = try await client.namespace.run(
            ["unshare", "-m", "sh", "-c", "mount --bind \(file) /etc/resolv.conf && exec perl \(own)"],
            within: .seconds(300)
        ).checked()
        let words = result.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard words.count == 2 else { throw TestBedError("the client printed \(result.output)\(result.errors)") }
        return Tally(
            connected: words[0], refused: words[1], reasons: result.errors.split(separator: "\n").map(String.init))
    }
}
