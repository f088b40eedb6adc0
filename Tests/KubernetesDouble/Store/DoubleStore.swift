// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Synchronization

/// The double's objects.
///
/// Requests go through it, and tests may change it behind the server's back: then nothing is checked, and nothing of
/// what the real server adds is left out.
package final class DoubleStore: Sendable {
    private let state: Mutex<StoreState>

    init(historyLimit: Int) {
        var state = StoreState(historyLimit: historyLimit)
        for definition in ResourceDefinition.builtin { state.serve(definition) }
        self.state = Mutex(state)
        makeFirstNamespaces()
    }

    private func makeFirstNamespaces() { for name in ["default", "kube-system"] { put(namespace: name) } }

    /// Forgets all objects and begins with version 1 again, as a store does that was restored from its first copy.
    package func setBack() {
        withState { $0.setBack() }
        makeFirstNamespaces()
    }

    /// Works on the state alone; wakes the watches of what changed when it is done.
    func withState<Result, Failure: Error>(
        _ body: (inout StoreState) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        var wakes: [@Sendable () -> Void] = []
        defer { for wake in wakes { wake() } }
        return try state.withLock { state throws(Failure) in
            defer {
                if !state.changed.isEmpty {
                    wakes = state.watches.values.filter { state.changed.contains($0.resource) }.map(\.wake)
                    state.changed = []
                }
            }
            return try body(&state)
        }
    }

    /// The version of the last change, of whatever resource.
    package var version: Int { withState { $0.version } }

    /// The number of objects of a resource.
    package func count(_ resource: ResourceName) -> Int { withState { $0.resources[resource]?.table.count ?? 0 } }

    /// An object as it is now.
    package func object(_ resource: ResourceName, namespace: String = "", name: String) -> JSON? {
        withState { state in
            guard let definition = state.resources[resource]?.definition else { return nil }
            return state.object(resource, namespace: namespace, name: name)?.document(of: definition)
        }
    }

    /// Creates an object or replaces what it is now, whole with its status; kind and apiVersion say where it belongs.
    ///
    /// Its namespace is made if need be. - Returns: its version.
    @discardableResult
    package func apply(_ object: JSON) throws(APIError) -> Int { try apply([object]) }

    /// Puts many objects in before any watch is told.
    /// - Returns: the version of the last one.
    @discardableResult
    package func apply(_ objects: [JSON]) throws(APIError) -> Int {
        try withState { state throws(APIError) in
            for object in objects { try Self.apply(object, to: &state) }
            return state.version
        }
    }

    /// The same for JSON text.
    @discardableResult
    package func apply(json: String) throws(APIError) -> Int {
        let object: JSON
        do { object = try JSON(parsing: json) } catch { throw .badRequest("\(error)") }
        return try apply(object)
    }

    /// Removes an object at once, whatever its finalizers say.
    /// - Returns: whether it was there.
    @discardableResult
    package func remove(_ resource: ResourceName, namespace: String = "", name: String) -> Bool {
        withState { state in
            if resource == .customResourceDefinitions, let object = state.object(resource, namespace: "", name: name),
                let definition = state.resources[resource]?.definition
            {
                CustomResources.withdraw(object.document(of: definition), from: &state)
            }
            return state.remove(resource, namespace: namespace, name: name) != nil
        }
    }

    /// Makes a namespace, labelled as the real server does.
    package func put(namespace name: String, labels: [String: String] = [:]) {
        withState { Self.put(namespace: name, labels: labels, to: &$0) }
    }

    /// Forgets the past: older versions and continue tokens answer 410 from now on.
    package func compact(_ resource: ResourceName? = nil) { withState { $0.compact(resource) } }

    /// Serves one more resource without a CustomResourceDefinition.
    package func serve(_ definition: ResourceDefinition) { withState { $0.serve(definition) } }

    /// Takes a resource away with its objects: its watches end, its paths are unknown.
    package func withdraw(_ resource: ResourceName) { withState { $0.withdraw(resource) } }

    private static func put(namespace name: String, labels: [String: String] = [:], to state: inout StoreState) {
        guard let definition = state.resources[.namespaces]?.definition else { return }
        var object: JSON = ["metadata": ["name": .string(name), "labels": JSON(labels)]]
        let previous = state.object(.namespaces, namespace: "", name: name)?.document(of: definition)
        ObjectDefaults.complete(&object, of: definition, previous: previous)
        state.put(object, in: .namespaces)
    }

    private static func apply(_ object: JSON, to state: inout StoreState) throws(APIError) {
        let apiVersion = object["apiVersion"]?.text ?? ""
        let group = apiVersion.contains("/") ? String(apiVersion.prefix { $0 != "/" }) : ""
        let kind = object["kind"]?.text ?? ""
        guard
            let definition = state.resources.values.first(where: {
                $0.definition.name.group == group && $0.definition.kind == kind
            })?.definition
        else { throw .badRequest("no resource for kind \(kind) in \(apiVersion)") }
        guard let name = object["metadata", "name"]?.text else { throw .badRequest("metadata.name is required") }
        var object = object
        var namespace = ""
        if definition.isNamespaced {
            namespace = object["metadata", "namespace"]?.text ?? "default"
            object["metadata", "namespace"] = .string(namespace)
            if state.object(.namespaces, namespace: "", name: namespace) == nil {
                put(namespace: namespace, to: &state)
            }
        }
        let previous = state.object(definition.name, namespace: namespace, name: name)
        ObjectDefaults.complete(&object, of: definition, previous: previous?.document(of: definition))
        state.put(object, in: definition.name)
        if definition.name == .customResourceDefinitions { try CustomResources.serve(object, in: &state) }
    }
}

extension ResourceName {
    package static let namespaces = ResourceName(plural: "namespaces")
    package static let pods = ResourceName(plural: "pods")
    package static let nodes = ResourceName(plural: "nodes")
    package static let services = ResourceName(plural: "services")
    package static let networkPolicies = ResourceName(group: "networking.k8s.io", plural: "networkpolicies")
    package static let customResourceDefinitions = ResourceName(
        group: "apiextensions.k8s.io", plural: "customresourcedefinitions")
}
