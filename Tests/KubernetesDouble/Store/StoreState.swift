// SPDX-License-Identifier: Apache-2.0

/// Everything the double knows, behind one lock: one version counter for all resources, as with one etcd.
struct StoreState: Sendable {
    /// One resource with its objects and its past.
    struct Resource: Sendable {
        var definition: ResourceDefinition
        var table = ObjectTable()
        var history: History
        /// Older states that continue tokens go on reading, newest last.
        var snapshots: [(version: Int, namespace: String?, objects: [StoredObject])] = []
    }

    private(set) var version = 1
    var resources: [ResourceName: Resource] = [:]
    /// Watches by number, with what wakes them.
    var watches: [Int: (resource: ResourceName, wake: @Sendable () -> Void)] = [:]
    private var nextNumber = 0
    /// Resources that changed since the lock was taken.
    var changed: Set<ResourceName> = []
    private let historyLimit: Int

    init(historyLimit: Int) { self.historyLimit = historyLimit }

    /// A number that was not given before.
    mutating func makeNumber() -> Int {
        nextNumber += 1
        return nextNumber
    }

    mutating func serve(_ definition: ResourceDefinition) {
        if resources[definition.name] != nil {
            resources[definition.name]?.definition = definition
        } else {
            resources[definition.name] = Resource(
                definition: definition, history: History(since: version == 1 ? 0 : version, limit: historyLimit))
        }
    }

    mutating func withdraw(_ name: ResourceName) {
        resources[name] = nil
        changed.insert(name)
    }

    func object(_ resource: ResourceName, namespace: String, name: String) -> StoredObject? {
        resources[resource]?.table.object(namespace: namespace, name: name)
    }

    /// Stores a state as the next version.
    @discardableResult
    mutating func put(_ object: JSON, in resource: ResourceName) -> StoredObject {
        version += 1
        let stored = StoredObject(object, version: version)
        let previous = resources[resource]?.table.put(stored)
        note(
            Change(kind: previous == nil ? .added : .modified, version: version, object: stored, previous: previous),
            resource)
        return stored
    }

    /// Removes an object; its last state gets the version of the deletion.
    @discardableResult
    mutating func remove(_ resource: ResourceName, namespace: String, name: String) -> StoredObject? {
        guard let definition = resources[resource]?.definition,
            let previous = resources[resource]?.table.remove(namespace: namespace, name: name)
        else { return nil }
        version += 1
        let last = StoredObject(previous.document(of: definition), version: version)
        note(Change(kind: .deleted, version: version, object: last, previous: previous), resource)
        return last
    }

    private mutating func note(_ change: Change, _ resource: ResourceName) {
        resources[resource]?.history.append(change)
        changed.insert(resource)
    }

    /// Is as on the first day, but for what is served: a store restored from an older copy.
    ///
    /// Versions begin again.
    mutating func setBack() {
        version = 1
        for name in resources.keys {
            resources[name]?.table = ObjectTable()
            resources[name]?.history = History(since: 0, limit: historyLimit)
            resources[name]?.snapshots = []
            changed.insert(name)
        }
    }

    /// Forgets the past of a resource, or of all, and with it every continue token.
    mutating func compact(_ resource: ResourceName? = nil) {
        for name in resources.keys where resource == nil || name == resource {
            resources[name]?.history.forget(through: version)
            resources[name]?.snapshots = []
        }
    }
}
