// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import Testing

@testable import ContainerRuntimes

/// The cgroups that kubelets make, in both of their forms.
@Suite struct PodCgroupsTests {
    private static let uid = "6f1c0c9e-2b5a-4f63-9d1c-000000000001"

    @Test(arguments: [
        ("pod6f1c0c9e-2b5a-4f63-9d1c-000000000001", uid),
        ("kubepods-besteffort-pod6f1c0c9e_2b5a_4f63_9d1c_000000000001.slice", uid),
        ("kubepods-pod6f1c0c9e_2b5a_4f63_9d1c_000000000001.slice", uid),
        // Of a file of the kubelet's: a hash.
        ("pod0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
    ])
    func `a pod's cgroup tells its UID`(name: String, uid: String) { #expect(PodCgroups.uid(name) == uid) }

    @Test(arguments: [
        "kubepods.slice", "kubepods", "kubepods-besteffort.slice", "burstable", "podman", "pod", "pod../x", "pods",
        "system-podx.slice", "kubepods-burstable-podnone.slice", "-pod.slice", "libpod-6f1c",
    ])
    func `other cgroups are no pods`(name: String) { #expect(PodCgroups.uid(name) == nil) }

    @Test func `pods are found below every class, and their first process`() throws {
        let root = "/tmp/bulkhead-pod-cgroups-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        defer { remove(root) }
        let systemd = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podaa_1.slice"
        for path in [
            "kubepods/podbb-1/sandbox", "kubepods/burstable/podcc-1/one", "kubepods/besteffort/poddd-1",
            "\(systemd)/cri-containerd-1.scope", "system.slice/podee-1", "libpod_parent/libpod-1",
        ] {
            try createDirectory("\(root)/\(path)")
        }
        // Who was there first is not who has the smallest number; 0 is of another PID namespace.
        try AtomicFile.write(
            Array("\(getpid())\n0\n99999999\n".utf8), to: "\(root)/kubepods/podbb-1/sandbox/cgroup.procs")
        try AtomicFile.write(Array("1\n".utf8), to: "\(root)/kubepods/podbb-1/cgroup.procs")
        let cgroups = PodCgroups(root: root)
        let found = cgroups.find()
        #expect(
            found.pods.mapValues { $0.dropFirst(root.count + 1) } == [
                "bb-1": "kubepods/podbb-1", "cc-1": "kubepods/burstable/podcc-1", "dd-1": "kubepods/besteffort/poddd-1",
                "aa-1": Substring(systemd),
            ])
        for directory in ["", "/kubepods", "/kubepods/burstable", "/kubepods/podbb-1", "/\(systemd)"] {
            #expect(found.directories.contains(root + directory), "\(directory)")
        }
        #expect(!found.directories.contains("\(root)/system.slice"))
        #expect(cgroups.firstProcess(ofPodAt: "\(root)/kubepods/podbb-1") == 1)
        try AtomicFile.write([], to: "\(root)/kubepods/podbb-1/cgroup.procs")
        #expect(cgroups.firstProcess(ofPodAt: "\(root)/kubepods/podbb-1") == getpid())
        #expect(cgroups.firstProcess(ofPodAt: "\(root)/kubepods/burstable/podcc-1") == nil)
        #expect(cgroups.firstProcess(ofPodAt: "\(root)/gone") == nil)
    }

    private func remove(_ path: String) {
        for name in (try? directoryEntries(path)) ?? [] { remove("\(path)/\(name)") }
        if unsafe rmdir(path) != 0 { unsafe unlink(path) }
    }
}
