// SPDX-License-Identifier: Apache-2.0

import LinuxHost

/// Where an API server is, and who asks it.
package struct KubernetesConfiguration: Hashable, Sendable {
    /// Something that stands in a file, or in the configuration itself.
    package enum Source: Hashable, Sendable {
        case inline([UInt8])
        case file(String)

        func bytes() throws(KubernetesError) -> [UInt8] {
            switch self {
            case .inline(let bytes): return bytes
            case .file(let path):
                do throws(HostError) {
                    return try readRegularFile(path, bytesMax: 4 << 20)
                } catch {
                    throw KubernetesError(.configuration, "\(error)")
                }
            }
        }
    }

    /// `https://10.0.0.1:6443`, without a slash at its end.
    package var server: String
    /// PEM; nil: the system's.
    package var authority: Source?
    /// PEM.
    package var certificate: Source?
    package var key: Source?
    package var token: Source?
    /// The name in the server's certificate, where it is another than that of `server`.
    package var serverName: String?
    /// `http://host:port`.
    package var proxy: String?
    /// Anybody may be the server.
    package var isInsecure: Bool
    /// The namespace meant where none is named.
    package var namespace: String

    package init(
        server: String, authority: Source? = nil, certificate: Source? = nil, key: Source? = nil, token: Source? = nil,
        serverName: String? = nil, proxy: String? = nil, isInsecure: Bool = false, namespace: String = "default"
    ) {
        self.server = server.hasSuffix("/") ? String(server.dropLast()) : server
        self.authority = authority
        self.certificate = certificate
        self.key = key
        self.token = token
        self.serverName = serverName
        self.proxy = proxy
        self.isInsecure = isInsecure
        self.namespace = namespace
    }
}

extension KubernetesConfiguration {
    /// Where every pod finds its account.
    package static let accountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// What a pod is given; throws outside of one.
    package static func inCluster(
        environment: (String) -> String?, directory: String = accountDirectory
    ) throws(KubernetesError) -> KubernetesConfiguration {
        guard let host = environment("KUBERNETES_SERVICE_HOST"), !host.isEmpty,
            let port = environment("KUBERNETES_SERVICE_PORT"), !port.isEmpty
        else {
            throw KubernetesError(
                .configuration,
                "this process is not in a pod (KUBERNETES_SERVICE_HOST and _PORT are not set): name a kubeconfig")
        }
        let namespace = try? Source.file("\(directory)/namespace").bytes()
        return KubernetesConfiguration(
            server: "https://\(host.contains(":") ? "[\(host)]" : host):\(port)",
            authority: .file("\(directory)/ca.crt"), token: .file("\(directory)/token"),
            namespace: namespace.map { String(decoding: $0, as: UTF8.self) } ?? "default")
    }
}
