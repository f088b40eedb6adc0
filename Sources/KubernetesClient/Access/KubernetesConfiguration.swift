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
    /// `user:password`; for servers of one's own.
    package var login: String?
    /// Prints a token or a certificate.
    package var plugin: ExecPlugin?
    /// The name in the server's certificate, where it is another than that of `server`.
    package var serverName: String?
    /// `http://host:port`, `socks5://host:port`.
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
    /// Whether anything is sent that may be refused, and may be another one by now.
    var hasCredentials: Bool { token != nil || login != nil || plugin != nil || certificate != nil }

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
            namespace: namespace.map { String(decoding: $0, as: UTF8.self).filter { !$0.isWhitespace } } ?? "default")
    }
}

/// A program that prints credentials.
package struct ExecPlugin: Hashable, Sendable {
    /// That of the `ExecCredential` that it is asked with.
    package var apiVersion: String
    /// A name that PATH is searched for, or a path.
    package var command: String
    package var arguments: [String] = []
    /// Added to the environment.
    package var environment: [String: String] = [:]
    /// What to tell people who lack the program.
    package var installHint = ""
    /// It wants to know for which server it is asked.
    package var isClusterWanted = false

    package init(apiVersion: String, command: String) {
        self.apiVersion = apiVersion
        self.command = command
    }
}
