// SPDX-License-Identifier: Apache-2.0

import LinuxHost

/// Finds the processes of pods by the cgroups that a kubelet makes for them.
///
/// Needs no runtime's socket. The forms of the kubelet's two drivers: `kubepods/burstable/pod<UID>/<container>` and
/// `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<UID with _>.slice/cri-containerd-<id>.scope`, below any cgroup.
struct PodCgroups: Sendable {
    /// One look at the tree.
    struct Finding: Sendable {
        /// The cgroup of each pod, by the pod's UID.
        var pods: [String: String] = [:]
        /// Where cgroups of pods and their containers come and go.
        var directories: Set<String> = []
    }

    /// Where the hierarchy is mounted, or the part of it in which pods are looked for.
    let root: String

    func find() -> Finding {
        var finding = Finding(directories: [root])
        for name in names(in: root) where Self.isKubepods(name) { look(into: "\(root)/\(name)", &finding, depth: 0) }
        return finding
    }

    /// Beneath `kubepods` come classes of service, then pods.
    private func look(into directory: String, _ finding: inout Finding, depth: Int) {
        finding.directories.insert(directory)
        for name in names(in: directory) {
            let path = "\(directory)/\(name)"
            if let uid = Self.uid(name) {
                finding.directories.insert(path)
                finding.pods[uid] = path
            } else if Self.isKubepods(name) || Self.classes.contains(name), depth < 3 {
                look(into: path, &finding, depth: depth + 1)
            }
        }
    }

    /// The process of a pod that was there first: that of its sandbox; nil: it has none yet, or none any more.
    ///
    /// What comes later may have gone into a namespace of its own.
    func firstProcess(ofPodAt path: String) -> Int32? {
        let all = processes(path) + names(in: path).flatMap { processes("\(path)/\($0)") }
        let started = all.compactMap { pid in HostProcess.startTime(pid).map { (time: $0, pid: pid) } }
        return started.min { $0 < $1 }?.pid
    }

    private func processes(_ cgroup: String) -> [Int32] {
        let text = (try? readTextFile("\(cgroup)/cgroup.procs")) ?? ""
        // 0: of another PID namespace.
        return text.split(separator: "\n").compactMap { Int32($0) }.filter { $0 > 0 }
    }

    /// Of the directories in a directory; files of cgroups have a dot in their names.
    private func names(in directory: String) -> [String] {
        ((try? directoryEntries(directory)) ?? []).filter { name in
            !["cgroup.", "cpu.", "memory.", "io.", "pids.", "hugetlb.", "irq.", "misc.", "rdma.", "cpuset."]
                .contains { name.hasPrefix($0) }
        }
    }

    private static let classes: Set<String> = ["burstable", "besteffort"]

    private static func isKubepods(_ name: String) -> Bool {
        name == "kubepods" || name.hasPrefix("kubepods") && name.hasSuffix(".slice") && uid(name) == nil
    }

    /// The UID in `pod<UID>` or `kubepods-besteffort-pod<UID>.slice`; nil if it is no pod's.
    static func uid(_ name: String) -> String? {
        var text = name[...]
        if name.hasSuffix(".slice") {
            let parts = name.dropLast(".slice".count).split(separator: "-")
            guard parts.count > 1, let last = parts.last else { return nil }
            text = last
        }
        guard text.hasPrefix("pod") else { return nil }
        let uid = text.dropFirst(3).map { $0 == "_" ? "-" : $0 }
        let isUID = !uid.isEmpty && uid.allSatisfy { $0.isASCII && ($0.isHexDigit || $0 == "-") }
        return isUID ? String(uid) : nil
    }
}
