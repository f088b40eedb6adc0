// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import IdentityModel
import KernelDatapath
import KernelTesting
import LinuxHost
import Testing

extension DatapathKernelTests {
    @Suite struct ServiceProgramTests {
        /// A cgroup of the test's own in the place of the root: nobody else's packets meet the programs.
        private func withField(
            _ body: @escaping @Sendable (Workbench, ServiceField) throws -> Void
        ) async throws {
            try await Workbench.run { bench in
                let root = "\(try #require(try CgroupRoot.find()))/\(bench.namespace)"
                try shell("mkdir \(root)")
                defer { _ = try? shell("find \(root) -depth -type d -exec rmdir {} +") }
                try body(bench, ServiceField(cgroupRoot: root, networkNamespace: 1))
            }
        }

        private static let services = [
            DatapathService(
                number: 2, subject: 4, identity: NumericIdentity(rawValue: 1), options: [.host], users: [54_322])
        ]

        private func attached(_ datapath: Datapath) throws -> [Bool] {
            let programs = try datapath.servicePrograms()
            #expect(programs.map(\.name) == ["cgroup_egress", "cgroup_ingress"])
            return programs.map(\.isAttached)
        }

        /// Detaches a link and leaves its pin.
        private func takeOff(_ pin: String) throws {
            guard let descriptor = try FileDescriptor.pinned(at: pin) else {
                Issue.record("nothing is pinned at \(pin)")
                return
            }
            try TrafficLink(descriptor: descriptor).detach()
        }

        @Test func `a program that was taken off is missing until the services are set again`() async throws {
            try await withField { bench, field in
                let datapath = try bench.datapath()
                #expect(try attached(datapath) == [false, false], "nobody needs them")
                try datapath.setServices(Self.services, in: field)
                #expect(try attached(datapath) == [true, true])
                let links = "\(bench.directory.path)/links"
                try #require(try unpin("\(links)/cgroup-egress"))
                #expect(try attached(datapath) == [false, true], "its pin is gone")
                try takeOff("\(links)/cgroup-ingress")
                #expect(try attached(datapath) == [false, false], "detached behind its pin")
                try datapath.setServices(Self.services, in: field)
                #expect(try attached(datapath) == [true, true])
                try datapath.setServices([], in: field)
                #expect(try attached(datapath) == [false, false])
            }
        }

        @Test func `a start mends what was taken off while no agent ran`() async throws {
            try await withField { bench, field in
                do {
                    try bench.datapath().setServices(Self.services, in: field)
                    try takeOff("\(bench.directory.path)/links/cgroup-egress")
                }
                let datapath = try bench.datapath()
                #expect(try attached(datapath) == [false, true])
                try datapath.setServices(Self.services, in: field)
                #expect(try attached(datapath) == [true, true])
            }
        }
    }
}
