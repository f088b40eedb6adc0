// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import KernelPrograms
import KernelTesting
import Testing

extension KernelTests {
    @Suite struct AttachmentTests {
        private static let makePair = "ip link add bhr-a type veth peer name bhr-b && ip link set bhr-a up"

        @Test func `a tcx link attaches for as long as it lives and changes its program in one step`() async throws {
            try await inFreshNetworkNamespace {
                try shell(Self.makePair)
                let index = unsafe if_nametoindex("bhr-a")
                let object = try BPFObject(.test_filter)
                try object.load()
                let filter = try object.program("test_filter")
                let pass = try object.program("test_pass")
                do {
                    let link = try TrafficLink(attaching: filter, to: index, at: .ingress)
                    #expect(try link.interfaceIndex() == index)
                    #expect(try link.programID() == filter.info().id)
                    try link.replaceProgram(with: pass)
                    #expect(try link.programID() == pass.info().id)
                    try shell("ip link del bhr-a")
                    #expect(try link.interfaceIndex() == nil, "the device is gone")
                }
            }
        }

        @Test func `a pinned link survives its handle`() async throws {
            let path = "/sys/fs/bpf/bulkhead-test-\(getpid())"
            try await inFreshNetworkNamespace {
                try shell(Self.makePair)
                let object = try BPFObject(.test_filter)
                try object.load()
                let pass = try object.program("test_pass")
                #expect(try FileDescriptor.pinned(at: path) == nil)
                do {
                    let link = try unsafe TrafficLink(attaching: pass, to: if_nametoindex("bhr-a"), at: .egress)
                    try link.descriptor.pin(at: path)
                }
                guard let found = try FileDescriptor.pinned(at: path) else {
                    throw BPFError(errno: ENOENT, operation: "find the pinned link")
                }
                #expect(try TrafficLink(descriptor: found).programID() == pass.info().id)
                #expect(try unpin(path))
                #expect(try !unpin(path))
            }
        }

        @Test func `clsact attaches, replaces and leaves the device as it was`() async throws {
            try await inFreshNetworkNamespace {
                try shell(Self.makePair)
                let index = unsafe if_nametoindex("bhr-a")
                let object = try BPFObject(.test_filter)
                try object.load()
                let filter = try object.program("test_filter")
                let pass = try object.program("test_pass")
                #expect(try ClsactFilter.programID(on: index, at: .ingress) == nil)
                try ClsactFilter.attach(filter, to: index, at: .ingress)
                try ClsactFilter.attach(filter, to: index, at: .egress)
                try ClsactFilter.attach(pass, to: index, at: .ingress)
                #expect(try ClsactFilter.programID(on: index, at: .ingress) == pass.info().id)
                #expect(try ClsactFilter.programID(on: index, at: .egress) == filter.info().id)
                try shell("test $(tc filter show dev bhr-a ingress | grep -c direct-action) = 1")
                try ClsactFilter.detach(from: index, at: .ingress)
                try shell("tc qdisc show dev bhr-a | grep -q clsact")
                try ClsactFilter.detach(from: index, at: .egress)
                try shell("! tc qdisc show dev bhr-a | grep -q clsact")
                try ClsactFilter.detach(from: index, at: .egress)
            }
        }

        @Test func `clsact stays while somebody else's filter is on it`() async throws {
            let path = "/sys/fs/bpf/bulkhead-test-\(getpid())"
            try await inFreshNetworkNamespace {
                try shell(Self.makePair)
                try shell("tc qdisc add dev bhr-a clsact")
                let index = unsafe if_nametoindex("bhr-a")
                let object = try BPFObject(.test_filter)
                try object.load()
                try object.program("test_filter").descriptor.pin(at: path)
                defer { _ = try? unpin(path) }
                try shell("tc filter add dev bhr-a egress prio 7 bpf da pinned \(path)")
                try ClsactFilter.attach(object.program("test_pass"), to: index, at: .ingress)
                try ClsactFilter.detach(from: index, at: .ingress)
                try shell("tc filter show dev bhr-a egress | grep -q direct-action")
            }
        }
    }
}
