// SPDX-License-Identifier: Apache-2.0

import ClusterSchema
import ClusterStore
import NetworkModel

/// How this node belongs to a fleet that shares a store on etcd.
struct FleetSettings: Hashable, Sendable {
    var isEnabled = false
    /// Of the store's members.
    var endpoints: [String] = []
    var tls = EtcdConfiguration.TLS()
    /// Empty: the store has no users.
    var user = ""
    var passwordFile = ""
    var prefix = "/bulkhead"
    var leaseTime: Duration = .seconds(60)
    var grace: Duration = .seconds(300)
    /// Only addresses in these are told to other nodes; empty: all that are granted.
    var networks: [CIDR] = []
    /// Only in these addresses of hosts are told to other nodes, and believed of them; empty: none.
    var hostNetworks: [CIDR] = []

    /// Throws if an end of the store is none, or the password cannot be read.
    func configuration(instance: String) throws(StoreError) -> EtcdConfiguration {
        var configuration = try EtcdConfiguration(endpoints: endpoints, instance: instance)
        configuration.tls = tls
        configuration.prefix = prefix
        configuration.leaseTime = leaseTime
        configuration.grace = grace
        if !user.isEmpty { configuration.credentials = try .init(user: user, file: passwordFile) }
        return configuration
    }
}

extension ConfigurationReader {
    func fleet() throws -> FleetSettings {
        var settings = FleetSettings()
        settings.isEnabled = true
        try mapping([
            "enabled": { settings.isEnabled = try $0.boolean() },
            "endpoints": { settings.endpoints = try $0.list().map { try $0.storeEndpoint() } },
            "tls": { settings.tls = try $0.storeFiles() },
            "user": { settings.user = try $0.string() },
            "passwordFile": { settings.passwordFile = try $0.string() },
            "prefix": { settings.prefix = try $0.storePrefix() },
            "leaseTime": { settings.leaseTime = try $0.duration(atLeast: .seconds(5)) },
            "grace": { settings.grace = try $0.duration() },
            "hostNetworks": { settings.hostNetworks = try $0.list().map { try $0.network() } },
            "networks": { settings.networks = try $0.list().map { try $0.network() } },
        ])
        guard settings.isEnabled else { return settings }
        guard !settings.endpoints.isEmpty else { throw error("`endpoints` is missing: the members of the store") }
        guard settings.user.isEmpty == settings.passwordFile.isEmpty else {
            throw error("`user` and `passwordFile` belong together: one of them is missing")
        }
        let isSecure = settings.endpoints.allSatisfy { $0.hasPrefix("https://") }
        guard isSecure || settings.tls == EtcdConfiguration.TLS() else {
            throw error("`tls` is given, but not every endpoint begins with https://")
        }
        return settings
    }

    private func storeEndpoint() throws -> String {
        let text = try string()
        guard EtcdConfiguration.Endpoint(text) != nil else {
            throw error("\"\(text)\" is no member of a store: write it as https://10.0.0.1:2379")
        }
        return text
    }

    private func storeFiles() throws -> EtcdConfiguration.TLS {
        var tls = EtcdConfiguration.TLS()
        try mapping([
            "authorities": { tls.authorities = try $0.path() },
            "certificate": { tls.certificate = try $0.path() },
            "key": { tls.key = try $0.path() },
        ])
        guard (tls.certificate == nil) == (tls.key == nil) else {
            throw error("`certificate` and `key` belong together: one of them is missing")
        }
        return tls
    }

    /// Nil: none.
    private func path() throws -> String? {
        let text = try string()
        return text.isEmpty ? nil : text
    }

    private func storePrefix() throws -> String {
        let text = try string()
        guard text.hasPrefix("/"), !text.hasSuffix("/"), text.utf8.count <= StoreLayout.nameBytesMax else {
            throw error("\"\(text)\" is no prefix: it begins with a slash and does not end with one, as in /bulkhead")
        }
        return text
    }
}
