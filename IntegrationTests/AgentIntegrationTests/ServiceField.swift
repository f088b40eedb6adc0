// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import TestBed

/// A host with services: a unit in a slice of the test's own, and a user nobody else is.
struct ServiceField {
    let host: HostBed
    /// `bh4711x1web.service`.
    let unit: String
    /// A workload on the bridge of the host, which answers on tcp/80.
    let workload: TestWorkload
    private let slice: String

    static let user = 54_321

    init(_ bed: TestBed) async throws {
        guard let root = try CgroupRoot.find() else { throw TestBedError("this machine has no cgroup2") }
        unit = bed.name("web") + ".service"
        slice = "\(root)/\(bed.name("")).slice"
        try bed.noteCleanup("find \(slice) -depth -type d -exec rmdir {} +")
        try makeDirectory(slice)
        host = try await HostBed(bed, services: ["{unit: \(unit), labels: {tier: front}}", "{user: \(Self.user)}"])
        workload = try await host.host.addWorkload("web", number: 2)
        _ = try workload.namespace.start(["socat", "TCP6-LISTEN:80,ipv6only=0,fork,reuseaddr", "EXEC:cat"])
        try startUnit()
    }

    /// As systemd does: a new cgroup.
    func startUnit() throws {
        try makeDirectory("\(slice)/\(unit)")
        try makeDirectory("\(slice)/\(unit)/worker")
    }

    /// The unit's cgroup goes; nothing runs in it.
    func stopUnit() async throws {
        try await host.bed.shell("rmdir \(slice)/\(unit)/worker \(slice)/\(unit)")
    }

    /// Who tries to reach something.
    enum Process: CaseIterable {
        case unit, worker, user, other
    }

    /// `arguments` as a command of such a process.
    func command(_ process: Process, _ arguments: [String]) -> [String] {
        let join = { (cgroup: String) in
            ["sh", "-c", "echo $$ > \(cgroup)/cgroup.procs && exec \"$@\"", "sh"] + arguments
        }
        switch process {
        case .unit: return join("\(slice)/\(unit)")
        case .worker: return join("\(slice)/\(unit)/worker")
        case .user: return ["setpriv", "--reuid=\(Self.user)", "--clear-groups"] + arguments
        case .other: return arguments
        }
    }

    /// What such a process reaches; each attempt has a second.
    ///
    /// What should be reached gets a second and a third try: a machine under load answers late. What should not has one.
    func reach(
        _ process: Process, _ targets: [String], expecting expected: Set<String> = []
    ) async throws -> Set<String> {
        var reached = try await attempt(process, targets)
        for _ in 0..<2 where !expected.isSubset(of: reached) {
            reached.formUnion(try await attempt(process, expected.subtracting(reached).sorted()))
        }
        return reached
    }

    private func attempt(_ process: Process, _ targets: [String]) async throws -> Set<String> {
        try await withThrowingTaskGroup(of: String?.self) { group in
            for target in targets {
                group.addTask {
                    let status = try await host.host.namespace.run(
                        command(process, ServiceField.attempt(target)), within: .seconds(10)
                    ).status
                    return status == 0 ? target : nil
                }
            }
            return try await group.reduce(into: []) { reached, target in if let target { reached.insert(target) } }
        }
    }

    /// `tcp 192.0.2.1 80`, `udp …`, `ping 192.0.2.1`.
    private static func attempt(_ target: String) -> [String] {
        let words = target.split(separator: " ").map(String.init)
        switch words[0] {
        case "tcp": return ["nc", "-z", "-w", "1", words[1], words[2]]
        case "udp":
            let wrapped = words[1].contains(":") ? "UDP6:[\(words[1])]" : "UDP4:\(words[1])"
            return ["sh", "-c", "echo hello | socat -t 1 - \(wrapped):\(words[2]) | grep -q hello"]
        default: return ["ping", "-n", "-c", "1", "-W", "1", words[1]]
        }
    }

    /// A policy of the host's for processes with a label.
    static func policy(_ name: String, _ selector: String, ingress: String? = nil, egress: String? = nil) -> String {
        HostBed.policy(name, ingress: ingress, egress: egress)
            .split(separator: "\n").map { $0 == "  nodeSelector: {}" ? "  nodeSelector: {\(selector)}" : String($0) }
            .joined(separator: "\n") + "\n"
    }
}
