// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc

extension BPFProgram {
    /// Runs an XDP program on a frame; returns its action, the mean time of one run in nanoseconds, and the frame as
    /// it is afterwards.
    ///
    /// `EINVAL` for frames shorter than an Ethernet header.
    package func testRunFrame(_ frame: [UInt8], repeatCount: Int32 = 1) throws(BPFError) -> (
        action: UInt32, nanoseconds: UInt32, frame: [UInt8]
    ) {
        var output = [UInt8](repeating: 0, count: frame.count + 256)
        var options = unsafe bpf_test_run_opts()
        unsafe options.sz = MemoryLayout<bpf_test_run_opts>.size
        unsafe options.repeat = repeatCount
        let result = unsafe frame.withUnsafeBytes { input in
            unsafe output.withUnsafeMutableBytes { output in
                unsafe options.data_in = input.baseAddress
                unsafe options.data_size_in = UInt32(input.count)
                unsafe options.data_out = output.baseAddress
                unsafe options.data_size_out = UInt32(output.count)
                return unsafe bpf_prog_test_run_opts(descriptor.rawValue, &options)
            }
        }
        try check(result, "run program \(name) on a \(frame.count)-byte frame")
        return unsafe (options.retval, options.duration, Array(output.prefix(Int(options.data_size_out))))
    }
}
