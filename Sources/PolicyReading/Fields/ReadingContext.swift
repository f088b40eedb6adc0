// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// What every step of reading one file shares: its name, its text and what was found wrong so far.
final class ReadingContext {
    let file: String
    let options: PolicyReader.Options
    private let origin: TextOrigin
    private var text: SourceText
    private(set) var diagnostics: [Diagnostic] = []
    private(set) var errorCount = 0
    /// The tables of fields that were asked for, with the paths, for the reference; nil: nobody wants to know.
    var visitedTables: [(path: String, table: FieldTable)]?
    /// The values of policies that stand in lists, for those who cut the lists up.
    var listItems: [PolicyReference: YAMLNode] = [:]

    init(file: String, bytes: [UInt8], options: PolicyReader.Options, origin: TextOrigin = TextOrigin()) {
        self.file = file
        self.origin = origin
        self.text = SourceText(bytes)
        self.options = options
    }

    /// True once so much was wrong that more would not be shown.
    var isFull: Bool { diagnostics.count >= options.limits.errorCountMax }

    func location(_ mark: YAMLMark) -> SourceLocation {
        SourceLocation(
            file: file, line: mark.line + origin.line - 1,
            column: mark.line == 1 ? mark.column + origin.column - 1 : mark.column)
    }

    /// Adds a diagnostic, unless the limit of errors is reached: the first ones say enough.
    func report(
        _ severity: Diagnostic.Severity, _ code: DiagnosticCode, from start: YAMLMark, to end: YAMLMark?,
        path: String, _ message: String, remedy: String?, related: [Diagnostic.RelatedPlace] = []
    ) {
        if severity == .error { errorCount += 1 }
        guard !isFull else { return }
        diagnostics.append(
            Diagnostic(
                severity: severity, code: code, location: location(start), path: path, message: message,
                remedy: remedy, excerpt: excerpt(from: start, to: end), related: related))
    }

    /// None where the text begins within a line: its columns count from that line's begin.
    private func excerpt(from start: YAMLMark, to end: YAMLMark?) -> SourceExcerpt? {
        start.line == 1 && origin.column > 1 ? nil : text.excerpt(from: start, to: end)
    }

    /// Adds an error of the YAML itself.
    func report(_ error: YAMLError) {
        let related = error.first.map {
            [Diagnostic.RelatedPlace(message: "first written here", location: location($0))]
        }
        report(
            .error, error.code, from: error.start, to: error.end, path: "", error.message, remedy: error.remedy,
            related: related ?? [])
    }
}

extension ReadingContext {
    /// Composes each document of a text and hands it on; errors of the YAML itself are reported here.
    ///
    /// `read` returns what keeps its result: called only if the document's YAML was sound.
    func forEachDocument(of bytes: [UInt8], _ read: (YAMLNode) -> () -> Void) {
        guard bytes.count <= options.limits.byteCountMax else {
            report(
                YAMLError(
                    code: .tooLarge, start: YAMLMark(line: 1, column: 1),
                    message: "the file has \(bytes.count) bytes, the limit is \(options.limits.byteCountMax)",
                    remedy: "split it into several files"))
            return
        }
        do {
            var composer = try YAMLComposer(bytes, limits: options.limits)
            var isSound = true
            while let document = try composer.nextDocument(reporting: { error in
                isSound = false
                report(error)
            }) {
                let keep = read(document)
                if isSound { keep() }
                isSound = true
            }
        } catch {
            report(error)
        }
    }
}
