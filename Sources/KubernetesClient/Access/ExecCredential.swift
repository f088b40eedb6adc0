// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// What a credential plugin printed.
struct ExecCredential: Sendable {
    var token: String?
    /// PEM.
    var certificate: [UInt8]?
    var key: [UInt8]?
    /// Microseconds since 1970; nil: good until refused.
    var expiration: Int64?

    /// Asked for again a little before it ends.
    var isCurrent: Bool { expiration.map { WallClock.microseconds() < $0 - 10_000_000 } ?? true }

    init(_ output: [UInt8], plugin: ExecPlugin) throws(KubernetesError) {
        guard let root = try? JSONView(output), root["kind"]?.string == "ExecCredential", let status = root["status"]
        else {
            throw KubernetesError(
                .configuration, "credential plugin \(plugin.command) printed no ExecCredential with a status")
        }
        token = status["token"]?.string
        certificate = status["clientCertificateData"]?.string.map { Array($0.utf8) }
        key = status["clientKeyData"]?.string.map { Array($0.utf8) }
        expiration = status["expirationTimestamp"]?.string.flatMap { RFC3339.microseconds($0) }
        guard token != nil || (certificate != nil && key != nil) else {
            throw KubernetesError(
                .configuration,
                "credential plugin \(plugin.command) printed neither a token nor a certificate with its key")
        }
    }

    /// What stands in KUBERNETES_EXEC_INFO.
    static func question(to plugin: ExecPlugin, _ configuration: KubernetesConfiguration) -> String {
        var cluster: [String: JSONValue] = [:]
        if plugin.isClusterWanted {
            cluster["server"] = .string(configuration.server)
            if let name = configuration.serverName { cluster["tls-server-name"] = .string(name) }
            if configuration.isInsecure { cluster["insecure-skip-tls-verify"] = .boolean(true) }
            if let proxy = configuration.proxy { cluster["proxy-url"] = .string(proxy) }
            if let authority = try? configuration.authority?.bytes() {
                cluster["certificate-authority-data"] = .string(base64(authority))
            }
        }
        var spec: [String: JSONValue] = ["interactive": .boolean(false)]
        if plugin.isClusterWanted { spec["cluster"] = .object(cluster) }
        return JSONValue.object([
            "apiVersion": .string(plugin.apiVersion), "kind": .string("ExecCredential"), "spec": .object(spec),
        ]).text
    }
}

func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
