// SPDX-License-Identifier: Apache-2.0

/// `GET /v1/policies`: one document in force.
package struct PolicyRecord: Codable, Hashable, Sendable {
    package var kind: String
    /// Empty for cluster-wide kinds.
    package var namespace: String
    package var name: String
    /// `directory` (a watched file), `api` (`bulkhead policy apply`) or `cluster`.
    package var origin: String
    /// `file:line:column` of the document.
    package var source: String
    package var audit: Bool
    package var rules: Int
    /// Names of the endpoints it selects, sorted.
    package var endpoints: [String]
    /// Who put it into the store that the fleet shares, as `<user>@<node>`, and when (RFC 3339); nil: it is none of the store's, or
    /// the store was not heard since the agent's start.
    package var appliedBy: String?
    package var appliedAt: String?
    /// The YAML text; only in the answer for a single policy applied through the API.
    package var document: String?
    /// What about its rules looks unintended at present; only in the answer for a single policy.
    package var warnings: [DiagnosticRecord]?
    /// RFC 3339: from then on it is out of force.
    package var validUntil: String?
    /// True: it is out of force because its time is over.
    package var isLapsed: Bool?

    package init(
        kind: String, namespace: String, name: String, origin: String, source: String, audit: Bool, rules: Int,
        endpoints: [String], appliedBy: String? = nil, appliedAt: String? = nil, document: String? = nil,
        warnings: [DiagnosticRecord]? = nil, validUntil: String? = nil,
        isLapsed: Bool? = nil
    ) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.origin = origin
        self.source = source
        self.audit = audit
        self.rules = rules
        self.endpoints = endpoints
        self.appliedBy = appliedBy
        self.appliedAt = appliedAt
        self.document = document
        self.warnings = warnings
        self.validUntil = validUntil
        self.isLapsed = isLapsed
    }

    /// `kind/namespace/name`, or `kind/name` for cluster-wide kinds.
    package var text: String { namespace.isEmpty ? "\(kind)/\(name)" : "\(kind)/\(namespace)/\(name)" }
}

/// One finding in a document.
package struct DiagnosticRecord: Codable, Hashable, Sendable {
    /// `error`, `warning` or `note`.
    package var severity: String
    /// Stable code, as in `BH1301`; the policy reference explains it.
    package var code: String
    package var file: String
    package var line: Int
    package var column: Int
    package var message: String
    /// The offending line of the document.
    package var excerpt: String?
    package var remedy: String?

    package init(
        severity: String, code: String, file: String, line: Int, column: Int, message: String,
        excerpt: String? = nil, remedy: String? = nil
    ) {
        self.severity = severity
        self.code = code
        self.file = file
        self.line = line
        self.column = column
        self.message = message
        self.excerpt = excerpt
        self.remedy = remedy
    }

    /// `file:line:column: error[BH1301]: message; remedy`.
    package var text: String {
        "\(file):\(line):\(column): \(severity)[\(code)]: \(message)" + (remedy.map { "; \($0)" } ?? "")
    }
}

/// Answer to a change of policies, also to a dry run of one.
package struct PolicyChangeReport: Codable, Hashable, Sendable {
    /// False after a dry run.
    package var inForce: Bool
    /// References of policies that are new, differ, or are gone.
    package var added: [String]
    package var changed: [String]
    package var removed: [String]
    package var entriesAdded: Int
    package var entriesChanged: Int
    package var entriesRemoved: Int
    /// Generation in force afterwards.
    package var generation: UInt32
    package var diagnostics: [DiagnosticRecord]
    /// The number of this change in the history; nil: it changed no applied policy, or nothing at all.
    package var revision: Int?
    /// If it is to be taken back unless somebody confirms it.
    package var confirmation: ConfirmationReport?
    /// The revision of the fleet's store since which every node is told of it; nil: it is this host's alone.
    package var storeRevision: Int64?
    /// What is to be known of it besides.
    package var notice: String?

    package init(
        inForce: Bool, added: [String] = [], changed: [String] = [], removed: [String] = [], entriesAdded: Int = 0,
        entriesChanged: Int = 0, entriesRemoved: Int = 0, generation: UInt32 = 0, diagnostics: [DiagnosticRecord] = []
    ) {
        self.inForce = inForce
        self.added = added
        self.changed = changed
        self.removed = removed
        self.entriesAdded = entriesAdded
        self.entriesChanged = entriesChanged
        self.entriesRemoved = entriesRemoved
        self.generation = generation
        self.diagnostics = diagnostics
    }
}

/// Answer of `POST /v1/policies/validate`.
package struct ValidationReport: Codable, Hashable, Sendable {
    package var isValid: Bool
    /// References of the policies that were read.
    package var policies: [String]
    package var diagnostics: [DiagnosticRecord]

    package init(isValid: Bool, policies: [String], diagnostics: [DiagnosticRecord]) {
        self.isValid = isValid
        self.policies = policies
        self.diagnostics = diagnostics
    }
}

/// Answer of `POST /v1/policies/compile`: desired map state as sorted lines.
package struct CompileReport: Codable, Hashable, Sendable {
    package var lines: [String]
    /// What the numbers in the lines stand for: `subject 3 is k8s:app=web`.
    package var legend: [String]
    package var diagnostics: [DiagnosticRecord]
    /// Without an agent: selectors that nobody imagined meets, with the policies they are in; nil: none.
    package var unimagined: [String]?

    package init(lines: [String], legend: [String] = [], diagnostics: [DiagnosticRecord]) {
        self.lines = lines
        self.legend = legend
        self.diagnostics = diagnostics
    }
}

/// Answer of `POST /v1/policies/diff`: what would change in the map state.
package struct DiffReport: Codable, Hashable, Sendable {
    /// Sorted lines with `+ `, `- ` or `~ ` in front.
    package var lines: [String]
    /// What the numbers in the lines stand for: `subject 3 is k8s:app=web`.
    package var legend: [String]
    package var diagnostics: [DiagnosticRecord]
    /// The same in words: whose traffic gets another verdict.
    package var plan: PlanReport?
    /// Without an agent: selectors that nobody imagined meets, with the policies they are in; nil: none.
    package var unimagined: [String]?
    /// Without an agent: policies that say something else although no line and no verdict changes; nil: none.
    package var untold: [String]?

    package init(lines: [String], legend: [String] = [], diagnostics: [DiagnosticRecord]) {
        self.lines = lines
        self.legend = legend
        self.diagnostics = diagnostics
    }
}
