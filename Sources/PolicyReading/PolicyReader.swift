// SPDX-License-Identifier: Apache-2.0

package import PolicyModel

/// Reads policy documents of every supported dialect into the one rule model.
///
/// Pure: text in, policies and diagnostics out. Nothing a document says is ignored: what is not supported is refused
/// with an error that says so.
package struct PolicyReader: Sendable {
    package struct Options: Hashable, Sendable {
        package var limits: YAMLLimits
        /// The namespace of a namespaced policy that names none.
        package var defaultNamespace: String
        /// True: a NetworkPolicy `ipBlock` also matches workloads of this host, as the Kubernetes tests demand.
        package var ipBlockMatchesWorkloads: Bool

        package init(
            limits: YAMLLimits = YAMLLimits(), defaultNamespace: String = "default",
            ipBlockMatchesWorkloads: Bool = true
        ) {
            self.limits = limits
            self.defaultNamespace = defaultNamespace
            self.ipBlockMatchesWorkloads = ipBlockMatchesWorkloads
        }
    }

    package let options: Options

    package init(options: Options = Options()) { self.options = options }

    /// Reads every document of a text; see `read(bytes:file:)`.
    package func read(_ text: String, file: String) -> PolicyDocumentSet {
        read(bytes: Array(text.utf8), file: file)
    }

    /// Reads every document of a file's bytes.
    ///
    /// All errors of all documents are collected. A policy with an error is left out; whoever loads a file as a unit
    /// checks `hasErrors` and keeps the old state.
    ///
    /// `origin`: where in the file the bytes begin, if they were cut out of it; places are those of the file.
    package func read(bytes: [UInt8], file: String, origin: TextOrigin = TextOrigin()) -> PolicyDocumentSet {
        read(bytes: bytes, ReadingContext(file: file, bytes: bytes, options: options, origin: origin))
    }

    func read(bytes: [UInt8], _ context: ReadingContext) -> PolicyDocumentSet {
        let file = context.file
        guard !PolicyReader.isBlank(bytes) else {
            context.report(
                YAMLError(
                    code: .emptyFile, start: YAMLMark(line: 1, column: 1),
                    message: "no policy in \(file): the file is empty",
                    remedy: "delete the file if its policies are to go, else write them again"))
            return PolicyDocumentSet(policies: [], diagnostics: context.diagnostics)
        }
        var policies = PolicySet()
        var duplicates: [Diagnostic] = []
        context.forEachDocument(of: bytes) { document in
            let lowered = DocumentReading(context: context).policies(in: document)
            return { duplicates += policies.merge(lowered) }
        }
        if policies.policies.isEmpty, !context.diagnostics.hasErrors {
            context.report(
                .warning, .noPolicy, from: YAMLMark(line: 1, column: 1), to: nil, path: "", "no policy in \(file)",
                remedy: "delete the file if that is meant to stay so")
        }
        if let problem = TierLine(of: policies.policies).problem {
            context.report(
                .error, .tooManyTiers, from: YAMLMark(line: 1, column: 1), to: nil, path: "", problem, remedy: nil)
        }
        let crowded = NameReading.crowdedPatterns(policies.policies)
        return PolicyDocumentSet(policies: policies.policies, diagnostics: context.diagnostics + duplicates + crowded)
    }

    /// A file cut to nothing, or filled with zeros by a crash, was hardly meant to open everything.
    static func isBlank(_ bytes: [UInt8]) -> Bool {
        let text = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? bytes.dropFirst(3) : bytes[...]
        return text.allSatisfy { $0 == 32 || (9...13).contains($0) || $0 == 0 }
    }
}

/// What a file holds: the policies without errors, and everything there is to say about the file.
package struct PolicyDocumentSet: Hashable, Sendable {
    /// Sorted by reference; no reference twice.
    package var policies: [Policy]
    /// In the order of the text.
    package var diagnostics: [Diagnostic]

    package init(policies: [Policy], diagnostics: [Diagnostic]) {
        self.policies = policies
        self.diagnostics = diagnostics.sorted {
            ($0.location.line, $0.location.column, $0.severity) < ($1.location.line, $1.location.column, $1.severity)
        }
    }

    /// True if something of the file was refused.
    package var hasErrors: Bool { diagnostics.hasErrors }
}
