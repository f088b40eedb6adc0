// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the event decoder reads what it finds in a ring buffer.
import EventDecoding

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe UnsafeRawBufferPointer(start: start, count: count)
    return unsafe fuzzEventDecoder(RawSpan(_unsafeBytes: bytes)) ? 0 : -1
}
