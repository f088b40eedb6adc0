// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import ControlAPI
import ResponseActions
import TestBed
import Testing

/// A host with the whole shield on, and attackers outside: sources on the client's link that really connect.
struct AttackField {
    let host: HostBed
    let bed: TestBed

    /// `sections`: lines of the configuration besides the shield's.
    init(_ bed: TestBed, shield: String = "", _ sections: String) async throws {
        self.bed = bed
        host = try await HostBed(
            bed,
            more: "shield: {mode: enforce, devices: [up0], sensors: true\(shield.isEmpty ? "" : ", " + shield)}\n"
                + sections)
        try writeFile(bed.path("scan.py"), AttackField.scanner)
        try writeFile(bed.path("guess.py"), AttackField.guesser)
    }

    /// `100.x.7.NUMBER`, on the client's link.
    func source(_ number: Int) -> String {
        host.clientAddresses[0].split(separator: ".").dropLast().joined(separator: ".") + ".\(number)"
    }

    func addSources(_ numbers: some Sequence<Int>) async throws {
        try await bed.ipBatch(host.client, numbers.map { "address add \(source($0))/24 dev eth0" })
    }

    /// `fdbb:S:9NN::10`, behind the client's link: each in a /64 of its own.
    func source6(_ number: Int) -> String { "fdbb:\(bed.subnet):\(900 + number)::10" }

    func network6(_ number: Int) -> String { "fdbb:\(bed.subnet):\(900 + number)::/64" }

    /// The host reaches each by the client, which so is one of its gateways.
    func addSources6(_ numbers: some Sequence<Int>) async throws {
        try await bed.ipBatch(host.client, numbers.map { "address add \(source6($0))/128 dev eth0 nodad" })
        try await bed.ipBatch(
            host.host.namespace, numbers.map { "route add \(network6($0)) via \(host.clientAddresses[1])" })
    }

    /// The host's address of the family that a source has.
    func target(of source: String) -> String { host.hostAddresses[source.contains(":") ? 1 : 0] }

    var target: String { host.hostAddresses[0] }

    /// Connects to each port, one after the other.
    func scan(from source: String, ports: ClosedRange<Int> = 100...300) async throws {
        try await host.client.run(
            ["python3", bed.path("scan.py"), source, target(of: source), "\(ports.lowerBound)", "\(ports.upperBound)"],
            within: .seconds(60)
        ).checked()
    }

    /// Short, equal talks with a login port, as of somebody who guesses passwords.
    func guess(from source: String, count: Int = 30, port: Int = 22) async throws {
        try await host.client.run(
            ["python3", bed.path("guess.py"), source, target(of: source), "\(port)", "\(count)"], within: .seconds(60)
        ).checked()
    }

    /// Forged SYNs from the client's link to the web server.
    func synFlood(_ target: String) async throws -> SynFlood {
        let link = try await host.host.namespace.shell("ip -o link show up0").text
        let address = link.split(separator: " ").drop { $0 != "link/ether" }.dropFirst().first ?? ""
        return SynFlood(
            target: networkBytes(target), port: 80,
            hardwareAddress: address.split(separator: ":").compactMap { UInt8($0, radix: 16) }, interface: "eth0")
    }

    /// True if the host's web server answers this source within a second.
    func isServed(_ source: String, port: Int = 80) async throws -> Bool {
        let result = try await host.client.run(
            ["nc", "-z", "-w", "1", "-s", source, target(of: source), "\(port)"], within: .seconds(5))
        return result.status == 0
    }

    /// Actions, oldest first; `isWhole`: also what is over or was refused.
    func actions(isWhole: Bool = false) async throws -> [ResponseActionRecord] {
        try await host.control.responses(isWhole: isWhole).actions.reversed()
    }

    /// Waits for an action about a source.
    @discardableResult
    func awaitAction(
        _ state: ResponseRecord.State, _ subject: String, _ action: String = "block",
        within limit: Duration = .seconds(10)
    ) async throws -> ResponseActionRecord {
        var found: ResponseActionRecord?
        do {
            try await eventually("\(action) of \(subject) is \(state)", within: limit) {
                found = try await actions(isWhole: true).last {
                    $0.subject == subject && $0.action == action && $0.state == state
                }
                return found != nil
            }
        } catch {
            let alerts = try await host.control.alerts(AlertQuery()).alerts.map {
                "\($0.detector) \($0.source ?? "-") \($0.target ?? "-")"
            }
            let actions = try await actions(isWhole: true).map {
                "\($0.action) \($0.subject) \($0.state) \($0.since) to \($0.until) \($0.problem ?? "")"
            }
            throw TestBedError("\(error)\nalerts: \(alerts)\nactions: \(actions)")
        }
        return try #require(found)
    }

    private static let scanner = """
        import socket, sys
        source, target, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
        for port in range(first, last + 1):
            s = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
            s.settimeout(0.3)
            s.bind((source, 0))
            s.connect_ex((target, port))
            s.close()

        """

    private static let guesser = """
        import socket, sys, time
        source, target, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
        for attempt in range(count):
            s = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
            s.settimeout(1)
            s.bind((source, 0))
            if s.connect_ex((target, port)) == 0:
                s.sendall(b"x" * 1200)
                left = 1200
                try:
                    while left > 0:
                        data = s.recv(left)
                        if not data: break
                        left -= len(data)
                except OSError:
                    pass
            s.close()
            time.sleep(0.07 + 0.01 * (attempt % 5))

        """
}

extension AlertQuery {
    /// Whatever there is.
    static var everything: AlertQuery {
        var query = AlertQuery()
        query.states = [.open, .acknowledged, .closed]
        return query
    }
}
