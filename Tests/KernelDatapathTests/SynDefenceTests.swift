// SPDX-License-Identifier: Apache-2.0
import Glibc
import KernelDatapath
import KernelTesting
import Testing

extension DatapathKernelTests {
    /// The defence of listeners on a device, by either way of hanging programs there.
    @Suite struct SynDefenceTests {
        private static let port: UInt16 = 7070

        @Test(arguments: [AttachmentKind.tcx, .clsact])
        func `a listener is defended, by the next agent too, and everything goes`(kind: AttachmentKind) async throws {
            try await Workbench.run { bench in
                let listener = try Self.listen()
                defer { close(listener) }
                let device = unsafe if_nametoindex("bhkd-w")
                do {
                    let datapath = try bench.datapath(attachment: kind)
                    try datapath.attach(bench.endpoint())
                    try datapath.replace(with: .open)
                    for _ in 0..<2 {
                        let defence = try SynDefence(directory: bench.directory, attachment: kind)
                        var settings = SynSettings()
                        settings.mode = .always
                        defence.tables.configure(settings)
                        try defence.attach(to: device, number: device, isUplink: true)
                        #expect(bench.connects(to: Self.port))
                        #expect(try defence.count(.answered) == 1 && defence.count(.accepted) == 1)
                    }
                    let last = try SynDefence(directory: bench.directory, attachment: kind)
                    try last.attach(to: device, number: device, isUplink: true)
                    try last.detachAll(besides: [device])
                    #expect(bench.connects(to: Self.port))
                    #expect(try last.count(.accepted) == 1)
                    try last.detachAll()
                    #expect(bench.connects(to: Self.port), "the stack answers")
                    #expect(try last.count(.accepted) == 1)
                    try last.attach(to: device, number: device, isUplink: true)
                }
                try Datapath.remove(directory: bench.directory)
                #expect(bench.connects(to: Self.port))
                try shell("! tc qdisc show dev bhkd-w | grep -q clsact")
                try shell("! bpftool net show dev bhkd-w | grep -q tc_syn")
            }
        }

        private static func listen() throws -> Int32 {
            let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            let bound = unsafe withUnsafeBytes(of: &name) { bytes in
                unsafe bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                    unsafe pointer.baseAddress.map { unsafe bind(descriptor, $0, socklen_t(bytes.count)) } ?? -1
                }
            }
            try #require(bound == 0 && Glibc.listen(descriptor, 64) == 0)
            return descriptor
        }
    }
}

extension Workbench {
    /// True if the workload's connection to the host stands within two seconds.
    fileprivate func connects(to port: UInt16) -> Bool {
        (try? shell("ip netns exec \(namespace) nc -z -w 2 \(Self.hostAddress) \(port)")) != nil
    }
}
