// SPDX-License-Identifier: Apache-2.0

/// A way to a field, in the elements that `fieldsV1` writes: `f:NAME` for a member, `k:{"KEY":…}` for an element of a
/// list that is a map.
typealias FieldPath = [String]

extension JSON {
    /// The ways to everything in a document that is no object: texts, numbers, lists that are no maps, empty objects.
    func fieldPaths(mapLists: [String: [String]]) -> Set<FieldPath> {
        var paths: Set<FieldPath> = []
        collectPaths(at: [], listKeys: nil, mapLists, into: &paths)
        return paths
    }

    private func collectPaths(
        at path: FieldPath, listKeys: [String]?, _ mapLists: [String: [String]], into paths: inout Set<FieldPath>
    ) {
        if let members, !members.isEmpty {
            for (key, value) in members.members {
                value.collectPaths(at: path + ["f:\(key)"], listKeys: mapLists[key], mapLists, into: &paths)
            }
        } else if let listKeys, let elements {
            for element in elements {
                let key = element.listKey(listKeys)
                element.collectPaths(at: path + [key], listKeys: nil, mapLists, into: &paths)
            }
        } else {
            paths.insert(path)
        }
    }

    /// The element of a way that leads to this one of a map list.
    private func listKey(_ keys: [String]) -> String {
        let members = keys.map { (key: $0, value: self[$0] ?? .null) }
        return "k:" + JSON.object(JSONObject(members)).json
    }

    /// What a way leads to.
    func field(at path: ArraySlice<String>) -> JSON? {
        guard let element = path.first else { return self }
        return child(element)?.field(at: path.dropFirst())
    }

    private func child(_ element: String) -> JSON? {
        if element.hasPrefix("f:") { return members?[String(element.dropFirst(2))] }
        return index(of: element).flatMap { elements?[$0] }
    }

    private func index(of element: String) -> Int? {
        guard let wanted = try? JSON(parsing: String(element.dropFirst(2))), let keys = wanted.members?.members else {
            return nil
        }
        return elements?.firstIndex { candidate in keys.allSatisfy { candidate[$0.key] == $0.value } }
    }

    /// Removes what a way leads to, and what is empty without it.
    mutating func remove(_ path: ArraySlice<String>) {
        guard let element = path.first, var child = child(element) else { return }
        child.remove(path.dropFirst())
        let isGone = path.count == 1 || child.isHollow
        if var list = elements, let index = index(of: element) {
            if isGone { list.remove(at: index) } else { list[index] = child }
            self = .array(list)
        } else if var object = members {
            object[String(element.dropFirst(2))] = isGone ? nil : child
            self = .object(object)
        }
    }

    /// Whether no member and no element is left.
    private var isHollow: Bool { elements?.isEmpty ?? members?.isEmpty ?? false }
}

/// `fieldsV1`: the tree of a set of ways, and back.
enum FieldTree {
    static func document(_ paths: Set<FieldPath>) -> JSON {
        var tree: JSON = [:]
        for path in paths.sorted(by: { $0.lexicographicallyPrecedes($1) }) { insert(path[...], into: &tree) }
        return tree
    }

    private static func insert(_ path: ArraySlice<String>, into tree: inout JSON) {
        guard let element = path.first else { return }
        var child = tree[element] ?? [:]
        insert(path.dropFirst(), into: &child)
        tree[element] = child
    }

    static func paths(_ tree: JSON) -> Set<FieldPath> {
        var paths: Set<FieldPath> = []
        collect(tree, at: [], into: &paths)
        return paths
    }

    private static func collect(_ tree: JSON, at path: FieldPath, into paths: inout Set<FieldPath>) {
        guard let members = tree.members, !members.isEmpty else {
            if !path.isEmpty { paths.insert(path) }
            return
        }
        for (key, child) in members.members { collect(child, at: path + [key], into: &paths) }
    }
}
