// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc

/// What one `BPF_PROG_TEST_RUN` gave.
package struct TestRunResult: Sendable {
    /// The program's return value.
    package var verdict: UInt32
    /// Mean time of one run.
    package var nanoseconds: UInt32
    /// The packet as the program left it.
    package var packet: [UInt8]
    /// The context as the program left it (mark, cb …).
    package var context: PacketContext
}

extension BPFProgram {
    /// Runs the program on a packet that begins at the link layer.
    ///
    /// The kernel does not restore the packet between repeats.
    package func testRun(
        packet: [UInt8], context: PacketContext = PacketContext(), repeatCount: Int32 = 1
    ) throws(BPFError) -> TestRunResult {
        var output = [UInt8](repeating: 0, count: packet.count + 256)
        var contextIn = unsafe context.kernelContext
        var contextOut = unsafe __sk_buff()
        var options = unsafe bpf_test_run_opts()
        unsafe options.sz = MemoryLayout<bpf_test_run_opts>.size
        unsafe options.repeat = repeatCount
        let result = unsafe packet.withUnsafeBytes { input in
            unsafe output.withUnsafeMutableBytes { output in
                unsafe withUnsafeMutableBytes(of: &contextIn) { contextIn in
                    unsafe withUnsafeMutableBytes(of: &contextOut) { contextOut in
                        unsafe options.data_in = input.baseAddress
                        unsafe options.data_size_in = UInt32(input.count)
                        unsafe options.data_out = output.baseAddress
                        unsafe options.data_size_out = UInt32(output.count)
                        unsafe options.ctx_in = UnsafeRawPointer(contextIn.baseAddress)
                        unsafe options.ctx_size_in = UInt32(contextIn.count)
                        unsafe options.ctx_out = contextOut.baseAddress
                        unsafe options.ctx_size_out = UInt32(contextOut.count)
                        return unsafe bpf_prog_test_run_opts(descriptor.rawValue, &options)
                    }
                }
            }
        }
        try check(result, "run program \(name) on a \(packet.count)-byte packet")
        return unsafe TestRunResult(
            verdict: options.retval, nanoseconds: options.duration,
            packet: Array(output.prefix(Int(options.data_size_out))), context: PacketContext(contextOut))
    }
}
