// SPDX-License-Identifier: Apache-2.0

/// Where a value stands in its document; made into text only for a diagnostic.
final class FieldPath {
    enum Step {
        case name(String)
        case index(Int)
    }

    private let parent: FieldPath?
    private let step: Step

    init(_ step: Step, in parent: FieldPath? = nil) {
        self.step = step
        self.parent = parent
    }

    /// `spec.ingress[0].fromCIDR[1]`; names that hold a dot or a slash stand in brackets.
    var text: String {
        let prefix = parent?.text ?? ""
        switch step {
        case .index(let index): return "\(prefix)[\(index)]"
        case .name(let name):
            let isPlain = name.utf8.allSatisfy { $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "/") }
            guard isPlain else { return "\(prefix)[\"\(name)\"]" }
            return prefix.isEmpty ? name : "\(prefix).\(name)"
        }
    }
}
