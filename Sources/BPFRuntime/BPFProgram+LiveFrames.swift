// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc

extension BPFProgram {
    /// Runs an XDP program on frames that go on living: what it passes enters the stack of the device as if received.
    ///
    /// The kernel recycles frames without restoring them, so the program writes what it needs. `interface` names a
    /// device of the calling thread's network namespace. Frames are delivered in batches of `batchSize` (at most 256).
    /// `EINVAL` before Linux 5.18.
    package func testRunLiveFrames(
        frame: [UInt8], arrivingOn interface: UInt32, repeatCount: Int32, batchSize: UInt32 = 64
    ) throws(BPFError) {
        var context = xdp_md()
        context.data_end = UInt32(frame.count)
        context.ingress_ifindex = interface
        var options = unsafe bpf_test_run_opts()
        unsafe options.sz = MemoryLayout<bpf_test_run_opts>.size
        unsafe options.repeat = repeatCount
        unsafe options.flags = UInt32(BPF_F_TEST_XDP_LIVE_FRAMES)
        unsafe options.batch_size = batchSize
        let result = unsafe frame.withUnsafeBytes { input in
            unsafe withUnsafeBytes(of: &context) { context in
                unsafe options.data_in = input.baseAddress
                unsafe options.data_size_in = UInt32(input.count)
                unsafe options.ctx_in = context.baseAddress
                unsafe options.ctx_size_in = UInt32(context.count)
                return unsafe bpf_prog_test_run_opts(descriptor.rawValue, &options)
            }
        }
        try check(result, "run program \(name) on \(repeatCount) live frames arriving on interface \(interface)")
    }
}
