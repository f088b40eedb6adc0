// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// Reads any bytes as a feed and checks what every reading promises; false if a promise is broken.
package func fuzzFeedReader(_ bytes: [UInt8]) -> Bool {
    let reader = FeedReader(file: "fuzz")
    let content = reader.read(bytes)
    let lineCount = bytes.count { $0 == UInt8(ascii: "\n") } + 1
    guard content.faults.count == min(content.faultCount, FeedContent.keptFaults) else { return false }
    for fault in content.faults {
        guard (1...lineCount).contains(fault.line), fault.column >= 1, !fault.message.isEmpty else { return false }
    }
    // What was read reads the same again when written plainly.
    let text = content.prefixes.map(\.description).joined(separator: "\n")
    let again = reader.read(Array(text.utf8))
    guard again.prefixes == content.prefixes, again.faultCount == 0 else { return false }
    let table = FeedTable([.init(number: 1, prefixes: content.prefixes)], firstAllowing: 128)
    return table.ipv4.count + table.ipv6.count <= content.prefixes.count
}
