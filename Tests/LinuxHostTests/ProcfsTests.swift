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

    @Test func `what people put somewhere is read if it is a regular file, and never waited for`() throws {
        let path = "/tmp/bulkhead-regular-\(getpid())"
        defer { for name in [path, path + ".pipe", path + ".link"] { unsafe unlink(name) } }
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        #expect(unsafe write(descriptor, "hello", 5) == 5)
        #expect(unsafe symlink(path, path + ".link") == 0 && mkfifo(path + ".pipe", 0o600) == 0)
        for name in [path, path + ".link"] {
            #expect(try readRegularFile(name, bytesMax: 5) == Array("hello".utf8))
        }
        for name in [path + ".pipe", "/tmp", "/dev/zero"] {
            let error = #expect(throws: HostError.self) { try readRegularFile(name, bytesMax: 5) }
            #expect(error?.description.hasSuffix("it is not a regular file") == true)
        }
        ftruncate(descriptor, 100 << 20)
        close(descriptor)
        let error = #expect(throws: HostError.self) { try readRegularFile(path, bytesMax: 5) }
        #expect(error?.code == EFBIG && error?.description.contains("104857600 bytes") == true)
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
