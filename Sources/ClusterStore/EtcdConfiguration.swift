// SPDX-License-Identifier: Apache-2.0

import LinuxHost

/// How to reach an etcd v3 cluster, and what to do there.
package struct EtcdConfiguration: Hashable, Sendable {
    /// An end of a member's client port.
    package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
        package var isSecure: Bool
        /// A name or an address, without brackets.
        package var host: String
        package var port: Int

        package var description: String {
            "\(isSecure ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }

    /// Files of PEM.
    package struct TLS: Hashable, Sendable {
        /// Who signed the members' certificates; nil: those that the system trusts.
        package var authorities: String?
        /// The client's own.
        package var certificate: String?
        package var key: String?

        package init(authorities: String? = nil, certificate: String? = nil, key: String? = nil) {
            self.authorities = authorities
            self.certificate = certificate
            self.key = key
        }
    }

    package struct Credentials: Hashable, Sendable {
        package var user: String
        package var password: String
        /// Where the password came from: it is read there again whenever the store asks; nil: from nowhere.
        private var file: String?

        package init(user: String, password: String) {
            self.user = user
            self.password = password
        }

        /// The password is the first line of a file.
        package init(user: String, file: String) throws(StoreError) {
            self.init(user: user, password: try Credentials.read(file))
            self.file = file
        }

        /// As it is now; one that cannot be read is what it was.
        var current: Credentials {
            var copy = self
            if let file, let password = try? Credentials.read(file) { copy.password = password }
            return copy
        }

        private static func read(_ file: String) throws(StoreError) -> String {
            let text: String
            do throws(HostError) {
                text = try readTextFile(file)
            } catch {
                throw StoreError(.refused, "\(error)")
            }
            let line = text.prefix { !$0.isNewline }
            guard !line.isEmpty else { throw StoreError(.refused, "\(file) has no password in its first line") }
            return String(line)
        }
    }

    package var endpoints: [Endpoint]
    package var tls = TLS()
    package var credentials: Credentials?
    /// Begins with a slash.
    package var prefix = "/bulkhead"
    /// Of this installation, the same after a restart: a node with the same name and another instance is another node.
    package var instance: String
    /// Where the store's own name is kept; nil: nowhere, so that a start takes the store at its word.
    package var nameFile: String?
    /// Of this program, for people.
    package var agent = ""
    /// A node that was not heard for so long is not there.
    package var leaseTime: Duration = .seconds(60)
    /// So long the workloads of a node stay that is not there.
    package var grace: Duration = .seconds(300)
    /// Of one request at one member.
    package var requestTimeout: Duration = .seconds(3)
    /// A watch that says nothing for so long, though it was asked, is replaced.
    package var silenceLimit: Duration = .seconds(6)

    /// `endpoints`: `https://10.0.0.1:2379`; throws if one is none.
    package init(endpoints: [String], instance: String) throws(StoreError) {
        guard !endpoints.isEmpty else { throw StoreError(.refused, "no member of the store is given") }
        self.instance = instance
        self.endpoints = []
        for text in endpoints {
            guard let endpoint = Endpoint(text) else {
                throw StoreError(.refused, "'\(text)' is no member of a store; write https://address:2379")
            }
            self.endpoints.append(endpoint)
        }
    }
}

extension EtcdConfiguration.Endpoint {
    package init?(_ text: String) {
        let schemes = ["https://": true, "http://": false]
        guard let scheme = schemes.first(where: { text.hasPrefix($0.key) }) else { return nil }
        var rest = text.dropFirst(scheme.key.count)
        if rest.hasSuffix("/") { rest.removeLast() }
        var port = 2379
        if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("]"),
            rest.first == "[" || rest.firstIndex(of: ":") == colon
        {
            guard let number = UInt16(rest[rest.index(after: colon)...]), number > 0 else { return nil }
            port = Int(number)
            rest = rest[..<colon]
        }
        if rest.first == "[", rest.last == "]" { rest = rest.dropFirst().dropLast() }
        guard !rest.isEmpty, !rest.contains(where: { "/[]@ ".contains($0) }) else { return nil }
        (isSecure, host, self.port) = (scheme.value, String(rest), port)
    }
}
