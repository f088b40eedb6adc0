// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import NetworkModel
import PolicyModel
import PolicyReading

/// The section `metrics` of the configuration.
struct MetricsConfiguration: Hashable, Sendable {
    /// Where anybody who has the credential may scrape; nil: only over the agent's socket.
    struct Address: Hashable, Sendable {
        var host: IPAddress
        var port: UInt16
    }

    var listen: Address?
    /// Holds what a scraper must show; nil: whoever reaches the address, which is then one of this host alone.
    var token: BearerToken?

    /// Throws if the token's file cannot be used.
    func checkFiles() throws(AgentError) {
        guard listen != nil, let token else { return }
        do throws(AgentError) {
            _ = try token.read()
        } catch {
            throw AgentError("metrics.tokenFile: \(error)")
        }
    }
}

extension MetricsConfiguration.Address: CustomStringConvertible {
    /// `127.0.0.1:9964`, `[::1]:9964`.
    var description: String { host.isIPv4 ? "\(host):\(port)" : "[\(host)]:\(port)" }

    /// Nil if it is no address with a port.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0
        else { return nil }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        guard let address = IPAddress(String(host)), isBracketed == host.contains(":") else { return nil }
        self.init(host: address, port: port)
    }

    /// True if only this host reaches it.
    var isLoopback: Bool {
        if host.isIPv4 { return CIDR("127.0.0.0/8")?.contains(host) ?? false }
        return host == IPAddress("::1")
    }
}

extension ConfigurationReader {
    func metrics() throws -> MetricsConfiguration {
        var metrics = MetricsConfiguration()
        var listener: ConfigurationReader?
        try mapping([
            "listen": { reader in
                listener = reader
                metrics.listen = try reader.metricsAddress()
            },
            "tokenFile": { metrics.token = BearerToken(path: try $0.tokenPath()) },
        ])
        if let address = metrics.listen, let listener, !address.isLoopback, metrics.token == nil {
            throw listener.error(
                "others than this host reach \(address): name a `tokenFile` with what scrapers must show, or listen on "
                    + "127.0.0.1")
        }
        if metrics.listen == nil, metrics.token != nil { throw error("`tokenFile` without `listen`: nobody is asked") }
        return metrics
    }

    private func metricsAddress() throws -> MetricsConfiguration.Address? {
        let text = try string()
        guard !text.isEmpty else { return nil }
        guard let address = MetricsConfiguration.Address(text) else {
            throw error("\"\(text)\" is no address with a port: write 127.0.0.1:9964 or [::1]:9964")
        }
        return address
    }

    private func tokenPath() throws -> String {
        let path = try string()
        guard path.hasPrefix("/"), !path.hasSuffix("/") else { throw error("\"\(path)\" is no file: it begins with /") }
        return path
    }
}
