// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import CLinuxShim
import Glibc

/// Something a kernel or a machine may lack.
///
/// A probe answers with nil, or with an explanation of what is missing.
package enum KernelFeature: String, Hashable, Sendable, CaseIterable {
    case capabilities
    case bpfFileSystem = "bpf-file-system"
    case ringBuffer = "ring-buffer"
    case mappedArrays = "memory-mapped-arrays"
    case compiledPrograms = "compiled-programs"
    case tcx
    case membarrier
    case requestSockets = "request-sockets"

    /// What goes wrong without it.
    package var cost: String {
        switch self {
        case .capabilities: "the agent cannot load programs: nothing is enforced"
        case .bpfFileSystem: "nothing can be pinned: enforcement would end with the agent, so it does not start"
        case .ringBuffer: "`observe` has no flows: the agent does not start"
        case .mappedArrays: "policy cannot be switched in one step: the agent does not start"
        case .compiledPrograms: "programs are interpreted: each packet costs several times as much CPU"
        case .tcx: "programs hang on clsact: another tool that deletes the qdisc or its filters also removes them"
        case .requestSockets:
            "while listeners are defended against forged SYNs, connections have no window scale, SACK and timestamps"
        case .membarrier: "each policy change takes 0.2 s longer to settle"
        }
    }

    /// Tries the feature; nil if it is there.
    ///
    /// Leaves nothing behind.
    package func explanationIfMissing() -> String? {
        switch self {
        case .capabilities: missingCapabilities()
        case .bpfFileSystem: missingFileSystem()
        case .ringBuffer: missingMap(BPF_MAP_TYPE_RINGBUF, valueSize: 0, keySize: 0, entries: 4096, since: "5.8")
        case .mappedArrays:
            missingMap(
                BPF_MAP_TYPE_ARRAY, valueSize: 8, keySize: 4, entries: 1, flags: UInt32(BPF_F_MMAPABLE), since: "5.5")
        case .compiledPrograms: missingCompiler()
        case .tcx: missingTCX()
        case .requestSockets: missingKernelFunction("bpf_sk_assign_tcp_reqsk", since: "6.9")
        case .membarrier:
            bulkhead_membarrier_global() == 0 ? nil : "membarrier(2) is refused (a kernel with full-dynticks CPUs)"
        }
    }

    private func missingCapabilities() -> String? {
        var held: UInt64 = 0
        let result = unsafe bulkhead_effective_capabilities(&held)
        guard result == 0 else { return "the capabilities of this process cannot be read: \(errorText(-result))" }
        let administrator: UInt64 = 1 << 21
        let needed: [(name: String, bit: UInt64)] = [
            ("CAP_NET_ADMIN", 1 << 12), ("CAP_PERFMON", 1 << 38), ("CAP_BPF", 1 << 39),
        ]
        let missing = needed.filter { held & $0.bit == 0 && (held & administrator == 0 || $0.name == "CAP_NET_ADMIN") }
        guard !missing.isEmpty else { return nil }
        // Root without them has been put into a smaller world by whatever started it.
        let remedy =
            geteuid() == 0
            ? "let it have them: CapabilityBoundingSet= of the systemd unit, --cap-add of the container"
            : "run as root"
        return "this process lacks \(missing.map(\.name).joined(separator: ", ")); \(remedy)"
    }

    private func missingFileSystem() -> String? {
        unsafe bulkhead_is_bpffs("/sys/fs/bpf") == 1
            ? nil : "no BPF file system is mounted at /sys/fs/bpf; mount it: mount -t bpf bpf /sys/fs/bpf"
    }

    private func missingMap(
        _ type: bpf_map_type, valueSize: UInt32, keySize: UInt32, entries: UInt32, flags: UInt32 = 0, since: String
    ) -> String? {
        var options = bpf_map_create_opts()
        options.sz = optionsSize(upTo: \bpf_map_create_opts.map_ifindex)
        options.map_flags = flags
        let (result, _) = LibbpfLog.collect {
            unsafe bpf_map_create(type, "bulkhead_probe", keySize, valueSize, entries, &options)
        }
        guard result < 0 else {
            close(result)
            return nil
        }
        return "\(KernelRelease.current) refuses it: \(errorText(-result)) (requires Linux >= \(since))"
    }

    /// What a program cannot be loaded without, of what not every supported kernel has.
    static func needed(byProgram name: String) -> KernelFeature? {
        [
            "tc_syn_listener", "tc_syn_uplink", "xdp_syn_front", "tc_syn_behind_in", "tc_syn_behind_out",
        ].contains(name) ? .requestSockets : nil
    }

    private func missingKernelFunction(_ name: String, since: String) -> String? {
        let function: UInt32 = 12  // BTF_KIND_FUNC
        let (types, _) = unsafe LibbpfLog.collect { unsafe btf__load_vmlinux_btf() }
        guard let types = unsafe types else { return "the kernel does not describe its types" }
        defer { unsafe btf__free(types) }
        guard unsafe btf__find_by_name_kind(types, name, function) < 0 else { return nil }
        return "\(KernelRelease.current) has no \(name) (requires Linux >= \(since))"
    }

    /// Kernels built to always compile have the switch too, and it cannot be set to 0 there.
    private func missingCompiler() -> String? {
        let path = "/proc/sys/net/core/bpf_jit_enable"
        let fd = unsafe open(path, O_RDONLY | O_CLOEXEC)
        // Absent in network namespaces other than the first: nothing can be said, so nothing is.
        guard fd >= 0 else { return nil }
        let file = FileDescriptor(owning: fd)
        var first: UInt8 = 0
        guard unsafe read(file.rawValue, &first, 1) == 1, first == UInt8(ascii: "0") else { return nil }
        return "the BPF compiler is switched off; switch it on: sysctl net.core.bpf_jit_enable=1"
    }

    /// Offers a program to a device that does not exist: with tcx the kernel looks for the device first.
    private func missingTCX() -> String? {
        let loaded = LibbpfLog.collect { () -> Int32 in
            let instructions = [
                bpf_insn(code: 0xb7, dst_reg: 0, src_reg: 0, off: 0, imm: 0),
                bpf_insn(code: 0x95, dst_reg: 0, src_reg: 0, off: 0, imm: 0),
            ]
            return unsafe bpf_prog_load(
                BPF_PROG_TYPE_SCHED_CLS, "bulkhead_probe", "GPL", instructions, instructions.count, nil)
        }
        guard loaded.result >= 0 else { return "no tc program can be loaded: \(errorText(-loaded.result))" }
        let program = FileDescriptor(owning: loaded.result)
        let noSuchDevice = UInt32(Int32.max)
        let result = bulkhead_tcx_link_create(program.rawValue, noSuchDevice, TrafficHook.ingress.tcxAttachType, false)
        guard result >= 0 || result == -ENODEV else {
            return "\(KernelRelease.current) has no tcx (requires Linux >= 6.6)"
        }
        return nil
    }
}

/// The running kernel's release.
package enum KernelRelease {
    /// `Linux 6.1.0-49-amd64`.
    package static var current: String {
        var names = utsname()
        guard unsafe uname(&names) == 0 else { return "Linux" }
        let release = unsafe withUnsafeBytes(of: &names.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return "Linux \(release)"
    }
}
