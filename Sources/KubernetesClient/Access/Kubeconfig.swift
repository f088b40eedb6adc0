// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import LinuxHost
import PolicyModel
import PolicyReading

extension KubernetesConfiguration {
    /// Reads a kubeconfig file; errors carry `file:line:column`.
    ///
    /// Files that it names are relative to it. `context`: nil: the current one.
    package static func kubeconfig(_ path: String, context: String? = nil) throws(KubernetesError)
        -> KubernetesConfiguration
    {
        let bytes: [UInt8]
        do throws(HostError) {
            bytes = try readRegularFile(path, bytesMax: 4 << 20)
        } catch {
            throw KubernetesError(.configuration, "\(error)")
        }
        return try kubeconfig(bytes, file: path, context: context)
    }

    static func kubeconfig(
        _ bytes: [UInt8], file: String, context: String? = nil
    ) throws(KubernetesError) -> KubernetesConfiguration {
        let node: ConfigurationNode?
        do throws(ConfigurationError) {
            node = try ConfigurationNode.read(bytes, file: file)
        } catch {
            throw KubernetesError(.configuration, "\(error)")
        }
        guard let node else { throw KubernetesError(.configuration, "\(file) is empty") }
        let reading = KubeconfigReading(
            node: node,
            directory: file.split(separator: "/", omittingEmptySubsequences: false).dropLast()
                .joined(separator: "/"))
        return try reading.configuration(context)
    }
}

/// Follows the names in a kubeconfig.
private struct KubeconfigReading {
    let node: ConfigurationNode
    /// That of the file.
    let directory: String

    func configuration(_ name: String?) throws(KubernetesError) -> KubernetesConfiguration {
        guard let name = name ?? node["current-context"]?.text, !name.isEmpty else {
            throw node.error("no current-context: name one")
        }
        let context = try entry(name, of: "contexts", "context")
        guard let clusterName = context["cluster"]?.text else { throw context.error("a context without `cluster`") }
        let cluster = try entry(clusterName, of: "clusters", "cluster")
        guard let server = cluster["server"]?.text, server.hasPrefix("https://") || server.hasPrefix("http://") else {
            throw cluster.error("a cluster without `server: https://…`")
        }
        var configuration = KubernetesConfiguration(server: server)
        configuration.authority = try source(cluster, "certificate-authority")
        configuration.serverName = cluster["tls-server-name"]?.text
        configuration.proxy = cluster["proxy-url"]?.text
        if case .boolean(true)? = cluster["insecure-skip-tls-verify"]?.content { configuration.isInsecure = true }
        if let namespace = context["namespace"]?.text { configuration.namespace = namespace }
        guard let userName = context["user"]?.text, !userName.isEmpty else { return configuration }
        let user = try entry(userName, of: "users", "user")
        guard user["auth-provider"] == nil else {
            throw user.error(
                "`auth-provider` is gone from Kubernetes itself: give a token, a client certificate or `exec`")
        }
        configuration.certificate = try source(user, "client-certificate")
        configuration.key = try source(user, "client-key")
        if let token = user["token"]?.text { configuration.token = .inline(Array(token.utf8)) }
        if let file = user["tokenFile"]?.text { configuration.token = .file(absolute(file)) }
        if let name = user["username"]?.text { configuration.login = "\(name):\(user["password"]?.text ?? "")" }
        if let exec = user["exec"] { configuration.plugin = try plugin(exec) }
        guard (configuration.certificate == nil) == (configuration.key == nil) else {
            throw user.error("a client certificate and its key belong together: one of them is missing")
        }
        return configuration
    }

    private func plugin(_ exec: ConfigurationNode) throws(KubernetesError) -> ExecPlugin {
        guard let command = exec["command"]?.text, !command.isEmpty else {
            throw exec.error("`exec` without `command`")
        }
        let version = exec["apiVersion"]?.text ?? ""
        guard ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"].contains(version) else {
            throw exec.error(
                "`exec` of apiVersion \"\(version)\": client.authentication.k8s.io/v1 and v1beta1 are known")
        }
        guard exec["interactiveMode"]?.text != "Always" else {
            throw exec.error("this `exec` asks people at a terminal, and an agent has none")
        }
        // With a slash relative to the file, without one searched for.
        var plugin = ExecPlugin(apiVersion: version, command: command.contains("/") ? absolute(command) : command)
        if case .list(let arguments)? = exec["args"]?.content { plugin.arguments = arguments.compactMap(\.text) }
        if case .list(let variables)? = exec["env"]?.content {
            for variable in variables {
                if let name = variable["name"]?.text { plugin.environment[name] = variable["value"]?.text ?? "" }
            }
        }
        plugin.installHint = exec["installHint"]?.text ?? ""
        if case .boolean(true)? = exec["provideClusterInfo"]?.content { plugin.isClusterWanted = true }
        return plugin
    }

    /// The value of the entry of a list that has a name.
    private func entry(_ name: String, of list: String, _ key: String) throws(KubernetesError) -> ConfigurationNode {
        guard case .list(let entries)? = node[list]?.content,
            let found = entries.first(where: { $0["name"]?.text == name })
        else { throw node.error("`\(list)` has no \(key) named \"\(name)\"") }
        guard let value = found[key] else { throw found.error("no `\(key)`") }
        return value
    }

    /// `KEY-data` in base64, else the file `KEY`.
    private func source(_ node: ConfigurationNode, _ key: String) throws(KubernetesError) -> KubernetesConfiguration
        .Source?
    {
        if let data = node["\(key)-data"] {
            guard let text = data.text, let bytes = Data(base64Encoded: text) else {
                throw data.error("`\(key)-data` is not base64")
            }
            return .inline(Array(bytes))
        }
        return node[key]?.text.map { .file(absolute($0)) }
    }

    private func absolute(_ path: String) -> String {
        path.hasPrefix("/") || directory.isEmpty ? path : "\(directory)/\(path)"
    }
}

extension ConfigurationNode {
    fileprivate subscript(key: String) -> ConfigurationNode? {
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { $0.key == key }?.value
    }

    fileprivate var text: String? {
        switch content {
        case .string(let text): text
        case .integer(let number): "\(number)"
        default: nil
        }
    }

    fileprivate func error(_ message: String) -> KubernetesError {
        KubernetesError(.configuration, "\(location.text): \(message)")
    }
}
