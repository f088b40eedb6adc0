// SPDX-License-Identifier: Apache-2.0

import TestBed

/// One attempt to reach something, told apart by its text.
struct Probe: Hashable, Sendable, CustomStringConvertible {
    enum Way: Hashable, Sendable {
        case tcp(Int)
        /// An echo server must send the datagram back.
        case udp(Int)
        case ping
    }

    let way: Way
    let address: String

    var description: String { "\(way) \(address)" }

    /// The same attempt at several addresses.
    static func all(_ ways: [Way], _ addresses: [String]) -> Set<Probe> {
        Set(ways.flatMap { way in addresses.map { Probe(way: way, address: $0) } })
    }

    func succeeds(from namespace: TestNamespace) async throws -> Bool {
        switch way {
        case .tcp(let port):
            return try await namespace.run(["nc", "-z", "-w", "1", address, String(port)]).status == 0
        case .udp(let port):
            let wrapped = address.contains(":") ? "UDP6:[\(address)]" : "UDP4:\(address)"
            let talk = "echo hello | socat -t 1 - \(wrapped):\(port)"
            return try await namespace.run(["sh", "-c", talk]).output.contains("hello")
        case .ping:
            return try await namespace.run(["ping", "-n", "-c", "1", "-W", "1", address]).status == 0
        }
    }
}

extension TestNamespace {
    /// Those of the attempts that succeed.
    ///
    /// What should succeed gets a second and a third try: a machine under load answers late. What should not has one.
    func reach(_ probes: Set<Probe>, expecting expected: Set<Probe> = []) async throws -> Set<Probe> {
        var reached = try await attempt(probes)
        for _ in 0..<2 where !expected.isSubset(of: reached) {
            reached.formUnion(try await attempt(expected.subtracting(reached)))
        }
        return reached
    }

    /// All at once, so that many refusals take a second together.
    private func attempt(_ probes: Set<Probe>) async throws -> Set<Probe> {
        try await withThrowingTaskGroup(of: Probe?.self) { group in
            for probe in probes { group.addTask { try await probe.succeeds(from: self) ? probe : nil } }
            var reached: Set<Probe> = []
            for try await probe in group { if let probe { reached.insert(probe) } }
            return reached
        }
    }
}
