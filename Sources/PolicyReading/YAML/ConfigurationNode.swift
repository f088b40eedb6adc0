// SPDX-License-Identifier: Apache-2.0

package import PolicyModel

/// A YAML value with its place, for files that are not policies: the agent's configuration, the workloads file.
package struct ConfigurationNode: Sendable {
    /// One entry of a mapping.
    package struct Entry: Sendable {
        package let key: String
        package let location: SourceLocation
        package let value: ConfigurationNode
    }

    /// What the value is; scalars by the core schema of YAML 1.2.
    package enum Content: Sendable {
        case null
        case boolean(Bool)
        case integer(Int)
        case string(String)
        case list([ConfigurationNode])
        case mapping([Entry])
    }

    package let content: Content
    package let location: SourceLocation

    /// Reads a text with one document; nil if it holds nothing.
    ///
    /// Throws the first thing that is wrong.
    package static func read(
        _ bytes: [UInt8], file: String, limits: YAMLLimits = YAMLLimits()
    ) throws(ConfigurationError) -> ConfigurationNode? {
        do throws(YAMLError) {
            var composer = try YAMLComposer(bytes, limits: limits)
            var first: YAMLError?
            let note = { (error: YAMLError) in first = first ?? error }
            let document = try composer.nextDocument(reporting: note)
            if let first { throw first }
            while let another = try composer.nextDocument(reporting: note) {
                guard another.isNull else {
                    throw YAMLError(
                        code: .syntax, start: composer.documentStart, message: "a second document",
                        remedy: "keep only one")
                }
            }
            guard let document, !document.isNull else { return nil }
            return ConfigurationNode(document, file: file)
        } catch {
            let location = SourceLocation(file: file, line: error.start.line, column: error.start.column)
            throw ConfigurationError(location, error.message + (error.remedy.map { "; \($0)" } ?? ""))
        }
    }

    private init(_ node: YAMLNode, file: String) {
        location = SourceLocation(file: file, line: node.start.line, column: node.start.column)
        switch node.content {
        case .sequence(let items): content = .list(items.map { ConfigurationNode($0, file: file) })
        case .mapping(let pairs):
            content = .mapping(
                pairs.map { pair in
                    Entry(
                        key: pair.key,
                        location: SourceLocation(file: file, line: pair.keyStart.line, column: pair.keyStart.column),
                        value: ConfigurationNode(pair.value, file: file))
                })
        case .scalar(let scalar):
            switch scalar.resolved {
            case .null: content = .null
            case .boolean(let value): content = .boolean(value)
            case .integer(.some(let value)): content = .integer(value)
            case .integer(.none), .float: content = .string(scalar.text)
            case .string(let text): content = .string(text)
            }
        }
    }
}

/// What is wrong in a configuration file, and where.
package struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    package let location: SourceLocation
    /// Cause and remedy, lower-case.
    package let message: String

    package init(_ location: SourceLocation, _ message: String) {
        self.location = location
        self.message = message
    }

    package var description: String { "\(location.text): \(message)" }
}
