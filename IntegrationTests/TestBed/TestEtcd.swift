// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// An etcd cluster of real members, each at an address of its own: of the loopback network, or of a namespace's.
package final class TestEtcd: Sendable {
    private static let counter = Atomic<Int>(0)

    private let bed: TestBed
    /// Where the members run; nil: where the test does.
    private let namespaces: [TestNamespace]?
    private let hosts: [String]
    private let scheme: String
    private let options: [String]
    private let processes = Mutex<[Int: SpawnedProcess]>([:])

    package var endpoints: [String] { hosts.map { "\(scheme)://\($0):2379" } }
    /// Of the authority and the client, if the members speak TLS.
    package let certificates: String
    package var isSecure: Bool { scheme == "https" }

    /// At addresses of the loopback network that no other test has.
    package convenience init(
        _ bed: TestBed, members: Int = 1, isSecure: Bool = false, options: [String] = []
    ) async throws {
        let number = TestEtcd.counter.wrappingAdd(1, ordering: .relaxed).newValue
        let pid = Int(getpid())
        let hosts = (1...members).map { "127.\(64 + number % 64).\(pid % 251).\($0)" }
        try await self.init(bed, hosts: hosts, namespaces: nil, isSecure: isSecure, options: options)
    }

    /// One member in each namespace, at an address that it has.
    package convenience init(
        _ bed: TestBed, in places: [(namespace: TestNamespace, address: String)], isSecure: Bool = false
    ) async throws {
        try await self.init(
            bed, hosts: places.map(\.address), namespaces: places.map(\.namespace), isSecure: isSecure, options: [])
    }

    private init(
        _ bed: TestBed, hosts: [String], namespaces: [TestNamespace]?, isSecure: Bool, options: [String]
    ) async throws {
        self.bed = bed
        self.hosts = hosts
        self.namespaces = namespaces
        self.options = options
        scheme = isSecure ? "https" : "http"
        certificates = bed.path("tls")
        if isSecure { try await makeCertificates() }
        for member in hosts.indices { try start(member) }
        try await eventually("etcd answers", within: .seconds(30)) {
            try await self.control("endpoint", "health", "--cluster").status == 0
        }
    }

    /// Starts a member, on the data it had.
    package func start(_ member: Int) throws {
        let host = hosts[member]
        let peers = hosts.enumerated().map { "m\($0.offset)=http://\($0.element):2380" }.joined(separator: ",")
        var arguments = [
            "etcd", "--name", "m\(member)", "--data-dir", bed.path("etcd-\(member)"), "--log-level", "error",
            "--listen-client-urls", endpoints[member], "--advertise-client-urls", endpoints[member],
            "--listen-peer-urls", "http://\(host):2380", "--initial-advertise-peer-urls", "http://\(host):2380",
            "--initial-cluster", peers, "--initial-cluster-token", bed.prefix,
        ]
        if scheme == "https" {
            arguments += [
                "--cert-file", "\(certificates)/server.pem", "--key-file", "\(certificates)/server.key",
                "--trusted-ca-file", "\(certificates)/ca.pem", "--client-cert-auth",
            ]
        }
        let command = arguments + options
        let process = try namespaces.map { try $0[member].start(command) } ?? bed.start(command)
        processes.withLock { $0[member] = process }
    }

    package func kill(_ member: Int) async { await processes.withLock { $0[member] }?.kill() }

    /// Takes a member's data away, and starts it again if it is the only one.
    package func lose(_ member: Int) async throws {
        await kill(member)
        try await bed.shell("rm -rf \(bed.path("etcd-\(member)"))")
        try start(member)
    }

    package func signal(_ member: Int, _ number: Int32) { processes.withLock { $0[member] }?.signal(number) }

    /// Runs etcdctl at all members, or at one.
    @discardableResult
    package func control(_ arguments: String..., at member: Int? = nil, user: String? = nil) async throws
        -> CommandResult
    {
        let ends = member.map { [endpoints[$0]] } ?? endpoints
        var command = ["etcdctl", "--endpoints", ends.joined(separator: ",")]
        if scheme == "https" {
            command += [
                "--cacert", "\(certificates)/ca.pem", "--cert", "\(certificates)/client.pem", "--key",
                "\(certificates)/client.key",
            ]
        }
        if let user { command += ["--user", user] }
        let environment = ["ETCDCTL_API": "3"]
        guard let namespace = namespaces?[member ?? 0] else {
            return try await bed.run(command + arguments, environment: environment)
        }
        return try await namespace.run(command + arguments, environment: environment)
    }

    /// The member that leads.
    package func leader() async throws -> Int {
        for member in hosts.indices {
            let status = try await control("endpoint", "status", at: member)
            // id, version, size, leader
            if status.text.split(separator: ",").dropFirst(4).first?.contains("true") == true { return member }
        }
        throw TestBedError("no member leads")
    }

    private func makeCertificates() async throws {
        let names = hosts.map { "IP:\($0)" }.joined(separator: ",")
        try await bed.shell(
            """
            mkdir -p \(certificates); cd \(certificates)
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ca.key -out ca.pem -subj /CN=ca 2>/dev/null
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout no.key -out no.pem -subj /CN=no 2>/dev/null
            printf 'subjectAltName=\(names)\\n' >names
            for name in server client; do
                openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /CN=$name 2>/dev/null
                openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out $name.pem 2>/dev/null
            done
            """)
    }
}
