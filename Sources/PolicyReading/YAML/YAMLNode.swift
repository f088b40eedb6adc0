// SPDX-License-Identifier: Apache-2.0

/// A place in the text; lines and columns count from 1, columns in Unicode scalars.
struct YAMLMark: Hashable, Sendable {
    var line: Int
    var column: Int
}

/// A value with its place; an alias has the value and the place of its anchor.
struct YAMLNode: Sendable {
    enum Content: Sendable {
        case scalar(YAMLScalar)
        case sequence([YAMLNode])
        case mapping([YAMLPair])
    }

    var content: Content
    var start: YAMLMark
    var end: YAMLMark
    /// Nodes of the whole value, aliases expanded.
    var weight: Int

    /// For messages: `a string`, `a list` and so on.
    var typeName: String {
        switch content {
        case .scalar(let scalar): scalar.resolved.typeName
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }

    /// True for an empty value, `~` or `null`.
    var isNull: Bool {
        if case .scalar(let scalar) = content, case .null = scalar.resolved { return true }
        return false
    }
}

/// One entry of a mapping; keys are always scalars.
struct YAMLPair: Sendable {
    let key: String
    let keyStart: YAMLMark
    let keyEnd: YAMLMark
    let value: YAMLNode
}

/// A text whose type is decided only when somebody asks.
struct YAMLScalar: Hashable, Sendable {
    let text: String
    /// False if it was quoted, a block, or tagged as a string: then it is a string whatever it looks like.
    let isPlain: Bool
}
