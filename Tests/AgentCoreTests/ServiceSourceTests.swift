// SPDX-License-Identifier: Apache-2.0

import Foundation
import IdentityModel
import KernelDatapath
import LinuxHost
import Testing

@testable import AgentCore

@Suite struct ServiceSourceTests {
    private func configuration(_ services: String) throws -> AgentConfiguration.HostEndpoint {
        var configuration = AgentConfiguration()
        try configuration.read(
            Array("hostEndpoint: {enabled: true, labels: {role: web}, services: [\(services)]}\n".utf8),
            file: "agent.yaml")
        return configuration.hostEndpoint
    }

    private func find(_ services: String, _ cgroups: [String] = []) throws -> [Workload] {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("services-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        for path in ["etc"] + cgroups {
            try FileManager.default.createDirectory(
                at: root.appendingPathComponent(path), withIntermediateDirectories: true)
        }
        let accounts = root.appendingPathComponent("etc/passwd").path
        try Data("root:x:0:0::/:/bin/sh\nbackup:x:34:34::/:/bin/false\n".utf8).write(to: URL(fileURLWithPath: accounts))
        return ServiceSource.find(
            try configuration(services), in: CgroupTree(root: root.path), accounts: Accounts(passwordFile: accounts)
        ).workloads
    }

    @Test func `a service is the host with more labels`() throws {
        let found = try find(
            "{unit: web.service, labels: {tier: front}}, {user: backup}, {cgroup: /batch/jobs, name: jobs}, {user: 7}",
            ["system.slice/web.service", "batch"])
        #expect(found.map(\.name) == ["web.service", "backup", "jobs", "7"])
        let labels = found.map { $0.labels.labels.map(\.description) }
        #expect(labels.allSatisfy { $0.contains("reserved:host") && $0.contains("k8s:role=web") })
        #expect(labels[0].contains("process:unit=web.service") && labels[0].contains("process:tier=front"))
        #expect(labels[1].contains("process:user=backup") && labels[1].contains("process:uid=34"))
        #expect(labels[2].contains("process:cgroup=/batch/jobs"))
        #expect(found.allSatisfy { $0.isHost && $0.isService && $0.interfaces.isEmpty && $0.problem == nil })
        #expect(found[0].sockets?.cgroups.keys.sorted() == ["/system.slice/web.service"])
        #expect(found[0].sockets?.cgroups.values.map(\.level) == [2])
        #expect(found[1].sockets?.users == [34] && found[3].sockets?.users == [7])
        #expect(found[2].sockets?.isEmpty == true, "the cgroup is not there yet")
    }

    @Test func `every unit that is not named is one`() throws {
        let found = try find(
            "{unit: web.service, labels: {tier: front}}, {unit: \"*\"}",
            ["system.slice/web.service", "system.slice/db.service", "system.slice/x.scope"])
        #expect(found.map(\.name) == ["web.service", "db.service"])
        #expect(found[1].labels.labels.map(\.description).contains("process:unit=db.service"))
    }

    @Test func `an unknown user is a problem of the service`() throws {
        let found = try find("{user: nobody-here}")
        #expect(found[0].problem?.contains("no user nobody-here") == true)
    }

    @Test(arguments: [
        ("{unit: web}", "not a unit"), ("{unit: a/b.service}", "not a unit"),
        ("{cgroup: system.slice}", "not a cgroup"),
        ("{cgroup: /a/../b}", "not a cgroup"), ("{}", "one of `unit`, `cgroup` and `user`"),
        ("{unit: a.service, user: b}", "one of `unit`, `cgroup` and `user`"), ("{process: x}", "unknown key"),
        ("{unit: a.service}, {unit: a.service}", "listed twice"),
        ("{unit: a.service}, {user: x, name: a.service}", "another service is called"),
    ])
    func `what makes no sense is refused with its place`(services: String, words: String) {
        let error = #expect(throws: (any Error).self) { try configuration(services) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(words))
        #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("agent.yaml:1:"))
    }

    @Test func `services need the host endpoint`() {
        var configuration = AgentConfiguration()
        let error = #expect(throws: (any Error).self) {
            try configuration.read(Array("hostEndpoint: {services: [{user: 7}]}\n".utf8), file: "agent.yaml")
        }
        #expect("\(error.map { "\($0)" } ?? "")".contains("set `enabled: true`"))
    }
}
