// SPDX-License-Identifier: Apache-2.0

package import FirewallImport
import NetworkModel
import PolicyCompiler
package import PolicyModel
import PolicyReading

/// What the policy that rules were imported to makes of packets for the host.
package struct ImportedVerdicts {
    package let imported: FirewallImport
    /// The policy as a document.
    package let yaml: String
    /// Errors in the document; none, if the import is right.
    package let errors: [Diagnostic]
    private let explainer: Explainer
    private let host = ExplainedSide.host(IPAddress("198.51.100.1"), isEndpoint: true)

    /// `text`: what a tool printed.
    package init(_ text: String) throws(ImportError) {
        imported = try FirewallImport([.init(name: "rules", bytes: Array(text.utf8))])
        yaml = imported.policy.joined(separator: "\n") + "\n"
        let set = PolicyReader().read(bytes: Array(yaml.utf8), file: "imported.yaml")
        errors = set.diagnostics.filter { $0.severity == .error }
        explainer = Explainer(policies: set.policies)
    }

    package func accepts(_ packet: RandomFirewall.Packet) -> Bool {
        let hasPorts = [IPProtocol.tcp, .udp, .sctp].contains(packet.proto)
        let port = hasPorts ? UInt16(packet.port) : packet.proto == .icmp ? UInt16(packet.port << 8) : nil
        return explainer.explain(from: .world(packet.source), to: host, proto: packet.proto, port: port).verdict
            == .allow
    }
}
