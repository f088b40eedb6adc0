// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the policy reader reads documents that a stranger may have written.
import PolicyReading

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    precondition(fuzzPolicyReader(bytes), "a reading broke a promise")
    return 0
}
