// SPDX-License-Identifier: Apache-2.0

/// The objects of one resource in the order of lists: by namespace, then by name.
///
/// Two levels, because a sorted array of all pods of a large cluster would be moved about at every insertion.
struct ObjectTable: Sendable {
    private(set) var count = 0
    private var namespaces: [String] = []
    private var objects: [String: [StoredObject]] = [:]

    func object(namespace: String, name: String) -> StoredObject? {
        guard let inNamespace = objects[namespace] else { return nil }
        let index = Self.position(of: name, in: inNamespace)
        return index < inNamespace.count && inNamespace[index].name == name ? inNamespace[index] : nil
    }

    /// All objects, or those of one namespace, in order.
    func all(in namespace: String? = nil) -> [StoredObject] {
        if let namespace { return objects[namespace] ?? [] }
        var all: [StoredObject] = []
        all.reserveCapacity(count)
        for namespace in namespaces { all.append(contentsOf: objects[namespace] ?? []) }
        return all
    }

    /// Puts an object in; answers what it replaced.
    @discardableResult
    mutating func put(_ object: StoredObject) -> StoredObject? {
        let index = Self.position(of: object.name, in: objects[object.namespace] ?? [])
        if let inNamespace = objects[object.namespace], index < inNamespace.count,
            inNamespace[index].name == object.name
        {
            let previous = inNamespace[index]
            objects[object.namespace]?[index] = object
            return previous
        }
        if objects[object.namespace] == nil {
            let place = namespaces.firstIndex { $0 > object.namespace } ?? namespaces.count
            namespaces.insert(object.namespace, at: place)
        }
        objects[object.namespace, default: []].insert(object, at: index)
        count += 1
        return nil
    }

    /// Takes an object out; answers what it was.
    @discardableResult
    mutating func remove(namespace: String, name: String) -> StoredObject? {
        guard let object = object(namespace: namespace, name: name) else { return nil }
        let index = Self.position(of: name, in: objects[namespace] ?? [])
        objects[namespace]?.remove(at: index)
        if objects[namespace]?.isEmpty == true {
            objects[namespace] = nil
            namespaces.removeAll { $0 == namespace }
        }
        count -= 1
        return object
    }

    private static func position(of name: String, in objects: [StoredObject]) -> Int {
        var low = 0
        var high = objects.count
        while low < high {
            let middle = (low + high) / 2
            if objects[middle].name < name { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
