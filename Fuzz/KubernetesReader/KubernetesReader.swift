// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the Kubernetes client reads what an API server, or whoever stands before it, sends.
import KubernetesReading

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    precondition(fuzzKubernetesReader(bytes), "a reading broke a promise")
    return 0
}
