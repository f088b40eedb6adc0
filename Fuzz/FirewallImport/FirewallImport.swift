// SPDX-License-Identifier: Apache-2.0
// Fuzz target: `policy import` reads the rules of a firewall that somebody else may have printed.
import FirewallImport

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    precondition(fuzzFirewallImport(bytes), "an import broke a promise")
    return 0
}
