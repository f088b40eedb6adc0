// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc

/// A program in the kernel; lives as long as this handle, a link or a pin refers to it.
package struct BPFProgram: ~Copyable, Sendable {
    package let descriptor: FileDescriptor
    package let name: String

    package init(descriptor: consuming FileDescriptor, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    /// What the kernel knows about the program.
    package func info() throws(BPFError) -> ProgramInfo {
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        try check(unsafe bpf_obj_get_info_by_fd(descriptor.rawValue, &info, &size), "read the state of program \(name)")
        return ProgramInfo(
            id: info.id, verifiedInstructionCount: Int(info.verified_insns),
            instructionCount: Int(info.xlated_prog_len) / 8, machineCodeByteCount: Int(info.jited_prog_len),
            runCount: info.run_cnt, runTimeNanoseconds: info.run_time_ns)
    }
}

/// What the kernel knows about a loaded program.
package struct ProgramInfo: Hashable, Sendable {
    package var id: UInt32
    /// Instructions that the verifier walked through; its limit is a million.
    ///
    /// 0 before Linux 5.16.
    package var verifiedInstructionCount: Int
    /// Instructions after the kernel's rewriting.
    package var instructionCount: Int
    package var machineCodeByteCount: Int
    /// Runs and their time, counted only while `kernel.bpf_stats_enabled` is 1.
    package var runCount: UInt64
    package var runTimeNanoseconds: UInt64
}
