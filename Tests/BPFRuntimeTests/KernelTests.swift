// SPDX-License-Identifier: Apache-2.0
import Testing

/// Everything that talks to the kernel, one after the other.
///
/// Needs root: without it these tests fail, they never skip.
@Suite(.serialized) enum KernelTests {}

struct TestConfig: BitwiseCopyable, Sendable {
    var dropEverything: UInt32 = 0
    var generation: UInt32 = 0
}

/// Verdicts of a tc program.
let passed: UInt32 = 0
let dropped: UInt32 = 2

/// An Ethernet frame of 64 bytes whose first byte is given.
func frame(_ first: UInt8) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 64)
    bytes[0] = first
    return bytes
}
