// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import PolicyReading

/// Imports any bytes and checks what every import promises; false if a promise is broken.
///
/// For the fuzzer and the mutation test: what is written reads without an error, twice the same, and what is refused has a place.
package func fuzzFirewallImport(_ bytes: [UInt8]) -> Bool {
    let input = FirewallImport.Input(name: "rules", bytes: bytes)
    do throws(ImportError) {
        let imported = try FirewallImport([input])
        guard try FirewallImport([input]).policy == imported.policy else { return false }
        let yaml = imported.policy.joined(separator: "\n") + "\n"
        let set = PolicyReader().read(bytes: Array(yaml.utf8), file: "imported.yaml")
        return !set.diagnostics.hasErrors
    } catch {
        return error.line >= 1 && !error.message.isEmpty
    }
}
