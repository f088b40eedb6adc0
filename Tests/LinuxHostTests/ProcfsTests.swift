// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import LinuxHost

@Suite struct ProcfsTests {
    @Test func `finds this process with its namespace`() throws {
        let own = try HostProcess(pid: getpid())
        #expect(own.networkNamespaceInode == (try NetworkNamespace.own.inode()))
        #expect(try HostProcess.all().contains { $0.pid == own.pid })
    }

    @Test(arguments: [
        ("12:cpu:/a\n0::/libpod_parent/libpod-1\n", "/libpod_parent/libpod-1"),
        ("0::/\n", "/"),
        ("0::/a b:c\n", "/a b:c"),
    ]) func `takes the path of the unified hierarchy`(content: String, path: String) {
        #expect(HostProcess.unifiedPath(content) == path)
    }

    @Test func `no unified hierarchy, no path`() {
        #expect(HostProcess.unifiedPath("1:cpu:/x\n") == nil)
    }

    @Test(arguments: [
        ("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "/sys/fs/cgroup"),
        (
            """
            30 23 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro
            31 30 0:27 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw
            """, "/sys/fs/cgroup/unified"
        ),
        (
            """
            31 30 0:27 /kubepods /a rw - cgroup2 cgroup2 rw
            32 30 0:27 / /mount\\040point rw - cgroup2 cgroup2 rw
            """, "/mount point"
        ),
    ]) func `finds the cgroup2 mount`(mounts: String, path: String) {
        #expect(CgroupRoot.find(inMountInfo: mounts) == path)
    }

    @Test func `without cgroup2 there is no root`() {
        #expect(CgroupRoot.find(inMountInfo: "30 23 0:26 / /sys/fs/cgroup rw - cgroup cgroup rw") == nil)
    }

    @Test func `a plain file is no namespace`() {
        let error = #expect(throws: HostError.self) { try NetworkNamespace.path("/etc/hostname").inode() }
        #expect(error?.code == EINVAL)
    }

    @Test func `a file past the limit is refused`() {
        let error = #expect(throws: HostError.self) { try readFile("/proc/self/maps", bytesMax: 10) }
        #expect(error?.code == EFBIG)
    }

    @Test func `the boot id is a UUID and the clocks run`() throws {
        #expect(try HostClock.bootID().count == 36)
        let earlier = HostClock.monotonicNanoseconds()
        #expect(HostClock.monotonicNanoseconds() >= earlier)
        #expect(HostClock.bootNanoseconds() >= earlier)
    }
}
