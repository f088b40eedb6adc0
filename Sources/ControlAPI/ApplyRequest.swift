// SPDX-License-Identifier: Apache-2.0

/// Body of `POST /v1/policies/apply`: files that come into force together, as one revision, or not at all.
package struct ApplyRequest: Codable, Hashable, Sendable {
    package struct Document: Codable, Hashable, Sendable {
        /// For the diagnostics.
        package var name: String
        /// YAML.
        package var text: String

        package init(name: String, text: String) {
            self.name = name
            self.text = text
        }

        var document: PolicyDocument { PolicyDocument(name: name, text: Array(text.utf8)) }
    }

    package var documents: [Document]

    package init(documents: [Document]) { self.documents = documents }
}
