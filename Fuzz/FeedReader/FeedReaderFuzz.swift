// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the feed reader reads lists that a stranger publishes.
import FeedReading

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    precondition(fuzzFeedReader(bytes), "a reading broke a promise")
    return 0
}
