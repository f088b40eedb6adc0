// SPDX-License-Identifier: Apache-2.0
import Foundation
import IdentityModel
import NetworkModel
import PolicyCompiler
import PolicyModel
import PolicyReading
import Testing

/// The policies of `make demo`, which readers copy first.
@Suite struct ShopExampleTests {
    static let files = ["web.yaml", "api.yaml", "db.yaml", "intruder.yaml"]
    /// As in `scripts/demo.d/probe.sh`; everything else is cut.
    static let allowed: Set = ["web to api", "api to db", "intruder to web", "world to web"]
    static let ports: [String: UInt16] = ["web": 80, "api": 8080, "db": 6379]

    private func read(_ name: String) throws -> PolicyDocumentSet {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let bytes = try [UInt8](Data(contentsOf: root.appendingPathComponent("Examples/shop/\(name)")))
        return PolicyReader().read(bytes: bytes, file: name)
    }

    private func side(_ name: String) -> ExplainedSide {
        guard name != "world" else { return .world(nil) }
        let labels = [
            Label(source: "container", key: "app", value: name),
            Label(source: "k8s", key: "io.kubernetes.pod.namespace", value: "default"),
        ]
        return ExplainedSide(labels: LabelSet(labels), isEndpoint: true, isWorkload: true)
    }

    @Test("each document is read without a complaint", arguments: files)
    func readsWithoutComplaint(name: String) throws {
        let set = try read(name)
        #expect(set.diagnostics.map { "\($0)" } == [])
        #expect(set.policies.count == 1)
        #expect(set.policies.allSatisfy { !$0.rules.isEmpty })
    }

    @Test("together they allow the shop's way and nothing else", arguments: ["web", "api", "db", "intruder", "world"])
    func allowsTheShop(source: String) throws {
        let explainer = Explainer(policies: try Self.files.flatMap { try read($0).policies })
        for (server, port) in Self.ports where server != source {
            let explanation = explainer.explain(from: side(source), to: side(server), proto: .tcp, port: port)
            let isAllowed = Self.allowed.contains("\(source) to \(server)")
            #expect(explanation.verdict == (isAllowed ? .allow : .deny), "\(source) to \(server)")
        }
    }

    @Test("a deny rule, not default deny, keeps the intruder from the database")
    func intruderIsDeniedByRule() throws {
        let explainer = Explainer(policies: try Self.files.flatMap { try read($0).policies })
        let explanation = explainer.explain(from: side("intruder"), to: side("db"), proto: .tcp, port: 6379)
        #expect(explanation.egress?.cause.map { "\($0)" }?.contains("contain-intruder") == true)
        #expect(explanation.egress?.closedBy == [])
    }
}
