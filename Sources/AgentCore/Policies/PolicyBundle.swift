// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import PolicyReading

/// Policies that came with one request, cut into one text for each policy so that each can be kept, shown, replaced
/// and deleted by itself.
struct PolicyBundle: Sendable {
    /// One policy with the text it was read from.
    struct Item: Sendable {
        var policy: Policy
        var text: PolicyText
    }

    var items: [Item]
    var diagnostics: [Diagnostic]

    var hasErrors: Bool { diagnostics.hasErrors }

    init(items: [Item], diagnostics: [Diagnostic]) {
        self.items = items
        self.diagnostics = diagnostics
    }

    /// Reads a text of one or several documents, which may be lists.
    init(_ bytes: [UInt8], file: String, reader: PolicyReader, origin: TextOrigin = TextOrigin()) {
        let (set, texts) = reader.readApart(bytes: bytes, file: file, origin: origin)
        diagnostics = set.diagnostics
        items = set.policies.compactMap { policy in
            texts[policy.reference].map { Item(policy: policy, text: $0) }
        }
    }
}
