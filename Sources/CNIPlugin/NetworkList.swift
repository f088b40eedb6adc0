// SPDX-License-Identifier: Apache-2.0

/// A network's configuration as a runtime keeps it in a file: a list of plugins, or a single one.
///
/// Edits touch our own entry and nothing else; what is not understood is refused, not guessed.
package struct NetworkList: Hashable, Sendable {
    package static let pluginType = "bulkhead-cni"

    /// Their interfaces have no end of their own on the host.
    private static let unfitTypes: Set<String> = [
        "macvlan", "ipvlan", "vlan", "host-device", "sriov", "ib-sriov", "loopback", "tap", "dummy",
    ]

    package private(set) var object: JSONObject
    /// False: the file holds a single plugin.
    package let isList: Bool

    /// Reads a file's content.
    package init(json bytes: [UInt8], isList: Bool) throws(NetworkListError) {
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try JSONValue(json: bytes)
        } catch {
            throw NetworkListError("it is no JSON: \(error)")
        }
        guard let object = value.object else { throw NetworkListError("it is no JSON object") }
        self.object = object
        self.isList = isList
        try check()
    }

    private func check() throws(NetworkListError) {
        guard let name = object["name"]?.string, !name.isEmpty else { throw NetworkListError("it has no name") }
        guard let version = object["cniVersion"] else {
            throw NetworkListError("it has no cniVersion: that means 0.1.0, which knows no chains")
        }
        guard version.string.flatMap(CNIVersion.init) != nil else {
            let known = CNIVersion.allCases.map(\.rawValue).joined(separator: ", ")
            throw NetworkListError("its cniVersion is none of \(known)")
        }
        guard isList else {
            guard object["type"]?.string?.isEmpty == false else { throw NetworkListError("its plugin has no type") }
            return
        }
        guard let plugins = object["plugins"]?.array, !plugins.isEmpty else {
            throw NetworkListError("it has no list of plugins")
        }
        guard plugins.allSatisfy({ $0.object?["type"]?.string?.isEmpty == false }) else {
            throw NetworkListError("one of its plugins has no type")
        }
        guard types.count(where: { $0 == Self.pluginType }) <= 1 else {
            throw NetworkListError("\(Self.pluginType) stands in it more than once")
        }
    }

    package var name: String { object["name"]?.string ?? "" }

    package var types: [String] {
        let plugins = isList ? object["plugins"]?.array ?? [] : [.object(object)]
        return plugins.compactMap { $0.object?["type"]?.string }
    }

    /// Our entry's settings as they are written; nil: there is no entry.
    package var settings: JSONValue? {
        let own = object["plugins"]?.array?.first { $0.object?["type"]?.string == Self.pluginType }
        return own.map { $0.object?[PluginSettings.key] ?? .object([:]) }
    }

    /// With our entry behind all others; one that is there already keeps its place and what else stands in it.
    package func installing(_ settings: PluginSettings) throws(NetworkListError) -> NetworkList {
        if let unfit = types.first, Self.unfitTypes.contains(unfit) {
            throw NetworkListError("interfaces of \(unfit) have no end of their own on the host")
        }
        if types.first == Self.pluginType {
            throw NetworkListError("\(Self.pluginType) stands first in it: there is no interface yet")
        }
        var plugins = isList ? object["plugins"]?.array ?? [] : [.object(wrappedPlugin)]
        if let place = plugins.firstIndex(where: { $0.object?["type"]?.string == Self.pluginType }) {
            var own = plugins[place].object ?? JSONObject()
            own[PluginSettings.key] = settings.json
            plugins[place] = .object(own)
        } else {
            plugins.append(.object(["type": .string(Self.pluginType), PluginSettings.key: settings.json]))
        }
        return with(plugins)
    }

    /// Without our entry.
    package func uninstalling() throws(NetworkListError) -> NetworkList {
        let plugins = (object["plugins"]?.array ?? []).filter { $0.object?["type"]?.string != Self.pluginType }
        guard !plugins.isEmpty || !isList else { throw NetworkListError("nothing else is in it: remove the file") }
        return isList ? with(plugins) : self
    }

    /// A single plugin as the list of one that means the same.
    package var asList: NetworkList { isList ? self : with([.object(wrappedPlugin)]) }

    private var wrappedPlugin: JSONObject {
        var plugin = object
        plugin["name"] = nil
        plugin["cniVersion"] = nil
        return plugin
    }

    private func with(_ plugins: [JSONValue]) -> NetworkList {
        var list = isList ? object : JSONObject(object.members.filter { ["cniVersion", "name"].contains($0.key) })
        list["plugins"] = .array(plugins)
        return NetworkList(object: list)
    }

    private init(object: JSONObject) {
        self.object = object
        isList = true
    }

    /// For the file.
    package var bytes: [UInt8] { Array(JSONValue.object(object).fileText.utf8) }
}

/// Why a network's configuration is left alone.
package struct NetworkListError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
