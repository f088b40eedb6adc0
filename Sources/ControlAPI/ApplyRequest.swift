// SPDX-License-Identifier: Apache-2.0

/// Body of `POST /v1/policies/apply` and of its plan: files that come into force together, as one revision, or not at all.
package struct ApplyRequest: Codable, Hashable, Sendable {
    package var documents: [TextDocument]

    package init(documents: [TextDocument]) { self.documents = documents }
}

/// A policy file as the body of a request carries it.
package struct TextDocument: Codable, Hashable, Sendable {
    /// For what is said about it.
    package var name: String
    /// YAML.
    package var text: String

    package init(name: String, text: String) {
        self.name = name
        self.text = text
    }

    /// Nil if the document is not UTF-8, which JSON cannot carry.
    package init?(_ document: PolicyDocument) {
        guard let text = String(validating: document.text, as: UTF8.self) else { return nil }
        self.init(name: document.name, text: text)
    }

    package var document: PolicyDocument { PolicyDocument(name: name, text: Array(text.utf8)) }
}
