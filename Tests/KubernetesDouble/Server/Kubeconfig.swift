// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

extension KubernetesDouble {
    /// How a kubeconfig proves who its user is.
    package enum Credential: Sendable {
        case none
        case token(String)
        /// A file that is read again as it changes.
        case tokenFile(String)
        /// A client certificate of the server's authority; needs TLS.
        case certificate(DoubleUser)
    }

    /// The text of a kubeconfig for this server, with everything inline.
    package func kubeconfig(_ credential: Credential = .none) throws -> String {
        var cluster: JSON = ["server": .string(url)]
        if let authority { cluster["certificate-authority-data"] = .string(Self.base64(authority.pem)) }
        var user: JSON = [:]
        switch credential {
        case .none: break
        case .token(let token): user["token"] = .string(token)
        case .tokenFile(let path): user["tokenFile"] = .string(path)
        case .certificate(let name):
            if let identity = try authority?.client(name) {
                user["client-certificate-data"] = .string(Self.base64(identity.certificate))
                user["client-key-data"] = .string(Self.base64(identity.key))
            }
        }
        // JSON is YAML too.
        let document: JSON = [
            "apiVersion": "v1", "kind": "Config", "current-context": "double",
            "clusters": [["name": "double", "cluster": cluster]], "users": [["name": "user", "user": user]],
            "contexts": [["name": "double", "context": ["cluster": "double", "user": "user"]]],
        ]
        return document.json + "\n"
    }
}

extension KubernetesDouble {
    private static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
}
