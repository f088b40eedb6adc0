// SPDX-License-Identifier: Apache-2.0

/// What the runtime sends on standard input.
package struct PluginConfiguration: Sendable {
    package var version: CNIVersion
    /// The list's name.
    package var network: String
    package var settings: PluginSettings
    /// What the plugins before this one achieved.
    package var previous: JSONObject?
    /// Labels that the caller passes by convention (`args.cni.labels`).
    package var callerLabels: [String: String]
    /// GC: what is to stay; nil: the runtime does not say, then everything stays.
    package var valid: [AttachmentName]?

    /// `command`: what is not needed for it is not looked at, so that nothing stands in the way of a DEL.
    package init(_ input: [UInt8], for command: Invocation.Command) throws(CNIError) {
        let object = try Self.object(input, isOptional: command == .version)
        version = try Self.version(object)
        network = object["name"]?.string ?? ""
        previous = object["prevResult"]?.object
        callerLabels = Self.labels(object)
        valid = try Self.valid(object)
        let own = object[PluginSettings.key]
        settings = PluginSettings()
        guard command != .version, let own else { return }
        do {
            settings = try PluginSettings(own)
        } catch {
            guard command == .delete else { throw error }
        }
    }

    private static func object(_ input: [UInt8], isOptional: Bool) throws(CNIError) -> JSONObject {
        if isOptional && input.allSatisfy({ $0 <= 0x20 }) { return JSONObject() }
        do {
            guard let object = try JSONValue(json: input).object else {
                throw CNIError(.cannotDecode, "the configuration on standard input is no JSON object")
            }
            return object
        } catch let error as JSONSyntaxError {
            throw CNIError(.cannotDecode, "the configuration on standard input is no JSON: \(error)")
        } catch let error as CNIError {
            throw error
        } catch {
            throw CNIError(.cannotDecode, "\(error)")
        }
    }

    private static func version(_ object: JSONObject) throws(CNIError) -> CNIVersion {
        guard let text = object["cniVersion"]?.string else { return .v110 }
        guard let version = CNIVersion(rawValue: text) else {
            let known = CNIVersion.allCases.map(\.rawValue).joined(separator: ", ")
            throw CNIError(.incompatibleVersion, "cniVersion \(text) is not spoken", details: "spoken are \(known)")
        }
        return version
    }

    private static func labels(_ object: JSONObject) -> [String: String] {
        let list = object["args"]?.object?["cni"]?.object?["labels"]?.array ?? []
        return list.reduce(into: [:]) { labels, item in
            guard let key = item.object?["key"]?.string, let value = item.object?["value"]?.string else { return }
            labels[key] = value
        }
    }

    private static func valid(_ object: JSONObject) throws(CNIError) -> [AttachmentName]? {
        guard let value = object["cni.dev/valid-attachments"], value != .null else { return nil }
        var names: [AttachmentName] = []
        for item in value.array ?? [.null] {
            // An entry that is not understood may be a living one: nothing is collected then.
            guard let container = item.object?["containerID"]?.string, let interface = item.object?["ifname"]?.string
            else {
                throw CNIError(.badConfiguration, "cni.dev/valid-attachments is no list of containerID and ifname")
            }
            names.append(AttachmentName(containerID: container, interface: interface))
        }
        return names
    }
}

/// How this plugin is to behave: the object `bulkhead` of its entry in the list.
package struct PluginSettings: Hashable, Sendable {
    /// Beside the members that runtimes add, so that everything in here can be checked.
    static let key = "bulkhead"

    package static let defaultSocketPath = "/run/bulkhead/bulkhead.sock"
    package static let defaultPendingDirectory = "/var/lib/bulkhead/cni-pending"

    package enum WithoutAgent: String, Sendable, CaseIterable {
        /// ADD fails; the runtime tries again.
        case closed
        /// ADD succeeds; the agent learns of the attachment when it starts.
        case open
    }

    package enum Workload: String, Sendable, CaseIterable {
        /// Some source of the agent's (Kubernetes, podman, the workloads file) says who it is.
        case source
        /// The attachment is the workload: no source knows it.
        case attachment
    }

    package enum Unknown: String, Sendable, CaseIterable {
        /// ADD fails where no source says in time who it is.
        case fail
        /// ADD succeeds; nothing passes until a source says.
        case closed
    }

    package var socketPath = PluginSettings.defaultSocketPath
    /// Where changes wait for an agent that is down.
    package var pendingDirectory = PluginSettings.defaultPendingDirectory
    package var withoutAgent = WithoutAgent.closed
    package var workload = Workload.source
    package var whenUnknown = Unknown.fail
    /// How long an ADD may wait for policy.
    package var seconds = PluginSettings.defaultSeconds
    /// Of every workload of this network; with `workload: attachment`.
    package var labels: [String: String] = [:]

    package static let secondsRange = 0...120
    package static let defaultSeconds = 10

    package init() {}

    /// Refuses what it does not know: a misspelt setting would change nothing and close nothing.
    package init(_ value: JSONValue) throws(CNIError) {
        guard let object = value.object else { throw Self.wrong("\"\(Self.key)\" is no object") }
        for (key, value) in object.members.map({ ($0.key, $0.value) }) {
            switch key {
            case "socket": socketPath = try Self.path(key, value)
            case "pendingDirectory": pendingDirectory = try Self.path(key, value)
            case "withoutAgent": withoutAgent = try Self.choice(key, value)
            case "workload": workload = try Self.choice(key, value)
            case "whenUnknown": whenUnknown = try Self.choice(key, value)
            case "timeout":
                guard let number = value.integer, Self.secondsRange.contains(number) else {
                    throw Self.wrong("timeout: seconds, from 0 to \(Self.secondsRange.upperBound)")
                }
                seconds = number
            case "labels":
                for (key, value) in (value.object ?? JSONObject()).members.map({ ($0.key, $0.value) }) {
                    guard let text = value.string, !key.isEmpty else { throw Self.wrong("labels: texts by key") }
                    labels[key] = text
                }
                guard value.object != nil else { throw Self.wrong("labels: texts by key") }
            default: throw Self.wrong("no setting \"\(key)\"")
            }
        }
        guard seconds > 0 || workload == .attachment || whenUnknown == .closed else {
            throw Self.wrong("timeout: 0 waits for no source: with whenUnknown closed only")
        }
    }

    /// Everything that is not as it is by itself.
    package var json: JSONValue {
        let usual = PluginSettings()
        var object = JSONObject()
        if socketPath != usual.socketPath { object["socket"] = .string(socketPath) }
        if pendingDirectory != usual.pendingDirectory { object["pendingDirectory"] = .string(pendingDirectory) }
        object["withoutAgent"] = .string(withoutAgent.rawValue)
        object["workload"] = .string(workload.rawValue)
        if workload == .source { object["whenUnknown"] = .string(whenUnknown.rawValue) }
        object["timeout"] = .integer(seconds)
        if !labels.isEmpty {
            let members = labels.sorted { $0.key < $1.key }
            object["labels"] = .object(JSONObject(members.map { JSONObject.Member($0.key, .string($0.value)) }))
        }
        return .object(object)
    }

    private static func wrong(_ text: String) -> CNIError {
        CNIError(.badConfiguration, text, details: "settings of bulkhead-cni: see docs/reference/cni.md")
    }

    private static func path(_ key: String, _ value: JSONValue) throws(CNIError) -> String {
        guard let path = value.string, path.hasPrefix("/") else { throw wrong("\(key): a path from the root") }
        return path
    }

    private static func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _ value: JSONValue
    ) throws(CNIError) -> Choice where Choice.RawValue == String {
        guard let choice = value.string.flatMap(Choice.init) else {
            throw wrong("\(key): one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }
}
