// SPDX-License-Identifier: Apache-2.0
// Fuzz target: keys and values of the cluster's store are what anybody with access to it wrote.
import ClusterSchema

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    precondition(fuzzStoreValues(bytes), "a reading broke a promise")
    return 0
}
