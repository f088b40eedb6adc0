// SPDX-License-Identifier: Apache-2.0

import PolicyModel

/// Builds value trees from events, within the limits.
///
/// Anchors belong to one document. An alias shares the tree of its anchor, so memory stays bounded by the text; the
/// weight of every tree is counted with aliases expanded, so the work of whoever walks it is bounded too.
struct YAMLComposer {
    private let events: YAMLEventReader
    private let limits: YAMLLimits
    private var anchors: [String: YAMLNode] = [:]
    private var weightOfDocuments = 0
    /// The text has an alias that stands for something.
    private var hasAliases = false
    /// Errors that leave the tree usable: duplicate keys, undefined aliases, tags.
    private var errors: [YAMLError] = []
    /// After the end libyaml answers nothing for ever.
    private var isAtEnd = false
    /// Where the last document begins: its `---`, or its first line if it has none.
    private(set) var documentStart = YAMLMark(line: 1, column: 1)

    init(_ bytes: [UInt8], limits: YAMLLimits) throws(YAMLError) {
        self.limits = limits
        self.events = try YAMLEventReader(bytes)
    }

    /// The next document, or nil at the end of the text; what is wrong with it but leaves it usable is reported.
    mutating func nextDocument(reporting report: (YAMLError) -> Void) throws(YAMLError) -> YAMLNode? {
        defer {
            errors.forEach(report)
            errors = []
        }
        while !isAtEnd {
            let event = try events.next()
            switch event.kind {
            case .streamEnd: isAtEnd = true
            case .documentStart:
                (anchors, documentStart) = ([:], event.start)
                let root = try compose(try events.next(), depth: 0)
                weightOfDocuments += root.weight
                _ = try events.next()
                return root
            default: continue
            }
        }
        return nil
    }

    private mutating func compose(_ event: YAMLEvent, depth: Int) throws(YAMLError) -> YAMLNode {
        guard depth <= limits.depthMax else {
            throw YAMLError(
                code: .tooDeep, start: event.start,
                message: "collections are nested deeper than \(limits.depthMax) levels")
        }
        check(tag: event.tag, at: event)
        let node: YAMLNode
        switch event.kind {
        case .alias(let name): return alias(name, at: event)
        case .scalar(let scalar):
            node = YAMLNode(content: .scalar(scalar), start: event.start, end: event.end, weight: 1)
        case .sequenceStart: node = try sequence(from: event, depth: depth)
        case .mappingStart: node = try mapping(from: event, depth: depth)
        default:
            throw YAMLError(code: .syntax, start: event.start, message: "not valid YAML: a value is missing here")
        }
        if let anchor = event.anchor { anchors[anchor] = node }
        return node
    }

    private mutating func alias(_ name: String, at event: YAMLEvent) -> YAMLNode {
        if let node = anchors[name] {
            hasAliases = true
            return node
        }
        note(
            YAMLError(
                code: .undefinedAlias, start: event.start, end: event.end,
                message: "alias *\(name) names no anchor above it in this document",
                remedy: "write the anchor &\(name) before its first use"))
        return YAMLNode(
            content: .scalar(YAMLScalar(text: "", isPlain: true)), start: event.start, end: event.end, weight: 1)
    }

    private mutating func sequence(from event: YAMLEvent, depth: Int) throws(YAMLError) -> YAMLNode {
        var elements: [YAMLNode] = []
        var weight = 1
        while true {
            let next = try events.next()
            if case .sequenceEnd = next.kind {
                return YAMLNode(content: .sequence(elements), start: event.start, end: next.end, weight: weight)
            }
            let element = try compose(next, depth: depth + 1)
            weight += element.weight
            elements.append(element)
            try checkGrowth(weight, at: next.start)
        }
    }

    private mutating func mapping(from event: YAMLEvent, depth: Int) throws(YAMLError) -> YAMLNode {
        var pairs: [YAMLPair] = []
        var places: [String: YAMLMark] = [:]
        var weight = 1
        while true {
            let next = try events.next()
            if case .mappingEnd = next.kind {
                return YAMLNode(content: .mapping(pairs), start: event.start, end: next.end, weight: weight)
            }
            let key = try compose(next, depth: depth + 1)
            let value = try compose(try events.next(), depth: depth + 1)
            weight += 1 + value.weight
            try checkGrowth(weight, at: next.start)
            guard let text = scalarKey(key, at: next) else { continue }
            if let first = places[text] {
                note(
                    YAMLError(
                        code: .duplicateKey, start: next.start, end: next.end, message: "key `\(text)` is there twice",
                        remedy: "merge the two values under one key", first: first))
                continue
            }
            places[text] = next.start
            pairs.append(YAMLPair(key: text, keyStart: next.start, keyEnd: next.end, value: value))
        }
    }

    private func checkGrowth(_ weight: Int, at start: YAMLMark) throws(YAMLError) {
        guard weight + weightOfDocuments <= limits.nodeCountMax else {
            let expanded = hasAliases ? " once its aliases are expanded" : ""
            throw YAMLError(
                code: .tooManyNodes, start: start,
                message: "the file has more than \(limits.nodeCountMax) nodes\(expanded)",
                remedy: hasAliases ? "write fewer aliases of aliases, or split the file" : "split it into several files"
            )
        }
    }

    private mutating func scalarKey(_ key: YAMLNode, at event: YAMLEvent) -> String? {
        guard case .scalar(let scalar) = key.content else {
            note(
                YAMLError(code: .wrongType, start: event.start, message: "a key is \(key.typeName) instead of a string")
            )
            return nil
        }
        guard scalar.text != "<<" || !scalar.isPlain else {
            note(
                YAMLError(
                    code: .unsupportedYAML, start: event.start, end: event.end,
                    message: "merge keys (`<<`) are not part of YAML 1.2 and not supported",
                    remedy: "write the fields out, or use an alias for a whole value"))
            return nil
        }
        return scalar.text
    }

    private mutating func check(tag: String?, at event: YAMLEvent) {
        guard let tag, !YAMLComposer.coreTags.contains(tag), tag != "!" else { return }
        note(
            YAMLError(
                code: .unsupportedYAML, start: event.start, message: "tag `\(tag)` is not one of the core schema",
                remedy: "delete the tag"))
    }

    private mutating func note(_ error: YAMLError) {
        if errors.count < limits.errorCountMax { errors.append(error) }
    }

    private static let coreTags: Set<String> = [
        "tag:yaml.org,2002:str", "tag:yaml.org,2002:int", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null",
        "tag:yaml.org,2002:float", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq",
    ]
}
