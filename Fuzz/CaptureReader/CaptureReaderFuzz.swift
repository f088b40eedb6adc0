// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the capture reader reads files that strangers recorded.
import CaptureReading

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    precondition(fuzzCaptureReader(bytes), "a reading broke a promise")
    return 0
}
