// SPDX-License-Identifier: Apache-2.0

import ClusterStore
import Glibc
import Logging
import Synchronization
import TestBed

/// Address range of the suites in this target.
let subnet = 46

/// An etcd cluster of real members, each at a loopback address of its own.
final class EtcdBed: Sendable {
    static let second = Duration.seconds(1)
    private static let counter = Atomic<Int>(0)

    private let bed: TestBed
    private let hosts: [String]
    private let scheme: String
    private let options: [String]
    private let processes = Mutex<[Int: SpawnedProcess]>([:])

    var endpoints: [String] { hosts.map { "\(scheme)://\($0):2379" } }
    /// Of the authority and the client, if the members speak TLS.
    let certificates: String

    init(_ bed: TestBed, members: Int = 1, isSecure: Bool = false, options: [String] = []) async throws {
        self.bed = bed
        self.options = options
        scheme = isSecure ? "https" : "http"
        certificates = bed.path("tls")
        let number = EtcdBed.counter.wrappingAdd(1, ordering: .relaxed).newValue
        let pid = Int(getpid())
        hosts = (1...members).map { "127.\(64 + number % 64).\(pid % 251).\($0)" }
        if isSecure { try await makeCertificates() }
        for member in hosts.indices { try start(member) }
        try await eventually("etcd answers", within: .seconds(30)) {
            try await self.control("endpoint", "health", "--cluster").status == 0
        }
    }

    /// Starts a member, on the data it had.
    func start(_ member: Int) throws {
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
        let process = try bed.start(arguments + options)
        processes.withLock { $0[member] = process }
    }

    func kill(_ member: Int) async { await processes.withLock { $0[member] }?.kill() }

    func signal(_ member: Int, _ number: Int32) { processes.withLock { $0[member] }?.signal(number) }

    /// Runs etcdctl at all members, or at one.
    @discardableResult
    func control(_ arguments: String..., at member: Int? = nil, user: String? = nil) async throws -> CommandResult {
        let ends = member.map { [endpoints[$0]] } ?? endpoints
        var command = ["etcdctl", "--endpoints", ends.joined(separator: ",")]
        if scheme == "https" {
            command += [
                "--cacert", "\(certificates)/ca.pem", "--cert", "\(certificates)/client.pem", "--key",
                "\(certificates)/client.key",
            ]
        }
        if let user { command += ["--user", user] }
        return try await bed.run(command + arguments, environment: ["ETCDCTL_API": "3"])
    }

    /// The member that leads.
    func leader() async throws -> Int {
        for member in hosts.indices {
            let status = try await control("endpoint", "status", at: member)
            // id, version, size, leader
            if status.text.split(separator: ",").dropFirst(4).first?.contains("true") == true { return member }
        }
        throw TestBedError("no member leads")
    }

    func configuration(_ instance: String, members: [Int]? = nil) throws -> EtcdConfiguration {
        var configuration = try EtcdConfiguration(
            endpoints: members.map { $0.map { endpoints[$0] } } ?? endpoints, instance: instance)
        configuration.leaseTime = .seconds(6)
        configuration.grace = .seconds(3)
        configuration.silenceLimit = .seconds(3)
        configuration.requestTimeout = .seconds(2)
        if scheme == "https" {
            configuration.tls = .init(
                authorities: "\(certificates)/ca.pem", certificate: "\(certificates)/client.pem",
                key: "\(certificates)/client.key")
        }
        return configuration
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
