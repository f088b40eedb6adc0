// SPDX-License-Identifier: Apache-2.0

import CNIPlugin
import ControlAPI
import Metrics
import Synchronization

/// Answers every call with small values and remembers what was asked.
final class RecordingService: ControlService {
    private let log = Mutex<[String]>([])

    var calls: [String] { log.withLock { $0 } }

    func note(_ call: String) { log.withLock { $0.append(call) } }

    static let endpointRecord = EndpointRecord(
        id: 7, name: "podman/web", source: "podman", condition: .enforced, identity: 300, labels: ["k8s:app=web"],
        addresses: ["10.1.0.2"], interface: "veth0", interfaceIndex: 12, ingress: .defaultDeny, egress: .open,
        audit: false)

    static let statusReport = StatusReport(
        version: "0", abiVersion: 1, processID: 1, startedAt: "2026-01-01T00:00:00Z", condition: .ready, audit: false,
        dryRun: false, kernel: KernelReport(release: "6.18", pinDirectory: "/x"), state: StateReport(),
        events: EventReport(), sources: [], problems: [])

    func status() async throws(APIError) -> StatusReport {
        note("status")
        return Self.statusReport
    }

    func metrics(_ format: MetricFormat) async throws(APIError) -> [UInt8] {
        note("metrics")
        return Array("bulkhead_ready 1\n\(format == .openMetrics ? "# EOF\n" : "")".utf8)
    }

    func endpoints() async throws(APIError) -> [EndpointRecord] {
        note("endpoints")
        return [Self.endpointRecord]
    }

    func endpoint(_ id: String) async throws(APIError) -> EndpointRecord {
        note("endpoint \(id)")
        guard id == "podman/web" else { throw APIError(.notFound, "no endpoint \(id)") }
        return Self.endpointRecord
    }

    func setEndpointAudit(_ id: String, _ isOn: Bool) async throws(APIError) -> EndpointRecord {
        note("audit \(id) \(isOn)")
        return Self.endpointRecord
    }

    func setNamespaceAudit(_ name: String, _ isOn: Bool) async throws(APIError) -> StatusReport {
        note("audit namespace \(name) \(isOn)")
        return Self.statusReport
    }

    func setAudit(_ isOn: Bool) async throws(APIError) -> StatusReport {
        note("audit \(isOn)")
        return Self.statusReport
    }

    func shieldReport() async throws(APIError) -> ShieldReport {
        note("shield")
        return ShieldReport(mode: "enforce")
    }

    func block(_ request: ShieldBlockRequest) async throws(APIError) -> ShieldReport {
        note("block \(request.prefix) \(request.seconds ?? 0)")
        return ShieldReport(mode: "enforce")
    }

    func unblock(_ request: ShieldBlockRequest) async throws(APIError) -> ShieldReport {
        note("unblock \(request.prefix)")
        return ShieldReport(mode: "enforce")
    }

    func accept(_ request: ShieldFeedRequest) async throws(APIError) -> ShieldReport {
        note("accept \(request.feed)")
        return ShieldReport(mode: "enforce")
    }

    static let attachmentRecord = AttachmentRecord(
        containerID: "c", interface: "eth0", network: "podnet", state: .inForce, endpoint: "shop/web",
        source: "kubernetes", hostInterface: "veth1", hostIndex: 7, addresses: ["10.1.0.3"], pod: "shop/web")

    func attach(_ request: AttachmentRequest) async throws(APIError) -> AttachmentRecord {
        note("attach \(request.containerID) \(request.interface) \(request.waitMilliseconds)")
        return Self.attachmentRecord
    }

    func detach(_ name: AttachmentName) async throws(APIError) -> AttachmentRemoval {
        note("detach \(name.containerID) \(name.interface)")
        return AttachmentRemoval(removed: [name])
    }

    func attachments() async throws(APIError) -> [AttachmentRecord] { [Self.attachmentRecord] }

    func attachment(_ name: AttachmentName) async throws(APIError) -> AttachmentRecord {
        note("attachment \(name.containerID) \(name.interface)")
        return Self.attachmentRecord
    }

    func collect(_ collection: AttachmentCollection) async throws(APIError) -> AttachmentRemoval {
        note("collect \(collection.network) \(collection.valid.map(\.containerID).joined(separator: ","))")
        return AttachmentRemoval(removed: [])
    }

    func identities() async throws(APIError) -> [IdentityRecord] { [] }

    func policies() async throws(APIError) -> [PolicyRecord] { [] }

    func policy(_ reference: String) async throws(APIError) -> PolicyRecord {
        note("policy \(reference)")
        throw APIError(.notFound, "no policy \(reference)")
    }

    func applyPolicies(
        _ documents: [PolicyDocument], options: ChangeOptions
    ) async throws(APIError) -> PolicyChangeReport {
        let named = documents.map { "\($0.name) \($0.text.count)" }.joined(separator: ", ")
        note("apply \(named) dry=\(options.isDryRun) force=\(options.isForced)")
        if let document = documents.first(where: {
            $0.text.isEmpty || String(validating: $0.text, as: UTF8.self) == nil
        }) {
            let finding = DiagnosticRecord(
                severity: "error", code: "BH1003", file: document.name, line: 2, column: 3, message: "empty")
            throw APIError(.invalidPolicy, "nothing was applied", diagnostics: [finding])
        }
        return PolicyChangeReport(inForce: !options.isDryRun, added: ["NetworkPolicy/default/x"])
    }

    func deletePolicy(_ reference: String, options: ChangeOptions) async throws(APIError) -> PolicyChangeReport {
        note("delete \(reference)")
        return PolicyChangeReport(inForce: true, removed: [reference])
    }

    func history(limit: Int) async throws(APIError) -> HistoryReport {
        note("history \(limit)")
        return HistoryReport(revisions: [Self.revision], kept: 1, oldestReachable: 0)
    }

    func revision(_ number: Int) async throws(APIError) -> RevisionDetail {
        note("revision \(number)")
        return RevisionDetail(revision: Self.revision, changes: [.init(policy: "a", before: nil, after: "text")])
    }

    func rollBack(to number: Int, options: ChangeOptions) async throws(APIError) -> PolicyChangeReport {
        note("rollback \(number) \(options.confirmWithin.map { "\($0)" } ?? "for good") by \(options.userID ?? 0)")
        return PolicyChangeReport(inForce: true)
    }

    func confirm(_ number: Int?) async throws(APIError) -> RevisionRecord {
        note("confirm \(number ?? 0)")
        return Self.revision
    }

    static let revision = RevisionRecord(
        number: 1, at: "2026-01-01T00:00:00.000000000Z", userID: 0, action: .apply, added: ["NetworkPolicy/shop/web"])

    func validatePolicies(_ document: PolicyDocument) async throws(APIError) -> ValidationReport {
        ValidationReport(isValid: true, policies: [], diagnostics: [])
    }

    func compilePolicies(_ document: PolicyDocument) async throws(APIError) -> CompileReport {
        CompileReport(lines: ["line"], diagnostics: [])
    }

    func diffPolicies(_ document: PolicyDocument, limit: Int) async throws(APIError) -> DiffReport {
        note("diff \(limit)")
        return DiffReport(lines: ["+ line"], diagnostics: [])
    }

    func planPolicies(_ change: PlannedChange, limit: Int) async throws(APIError) -> PlanReport {
        switch change {
        case .apply(let documents): note("plan \(documents.map(\.name).joined(separator: ",")) \(limit)")
        case .delete(let reference): note("plan delete \(reference) \(limit)")
        case .rollBack(let revision): note("plan rollback \(revision) \(limit)")
        }
        return PlanReport(changes: [Self.planned], total: 3, unjudgedPairs: 0)
    }

    func lintPolicies(_ request: LintRequest) async throws(APIError) -> LintReport {
        note("lint \(request.documents.map(\.name).joined(separator: ","))")
        return LintReport(findings: [], policies: ["NetworkPolicy/shop/web"], workloads: 2)
    }

    func unusedRules(since seconds: Int64) async throws(APIError) -> RuleUsageReport {
        note("unused \(seconds)")
        return RuleUsageReport(since: seconds, watched: 5)
    }

    static let planned = PlanReport.Change(
        from: "shop/web", to: "shop/db", traffic: "tcp/5432", before: "allow", after: "deny", reason: "by x")

    func explain(_ request: ExplainRequest) async throws(APIError) -> ExplainReport {
        note("explain \(request.from) \(request.to) \(request.port ?? 0)")
        let side = ExplainedSide(text: request.from, kind: "labels", identity: 0, labels: [])
        return ExplainReport(verdict: "allow", from: side, to: side, traffic: "tcp/80", steps: [])
    }

    func flows(_ query: FlowQuery) async throws(APIError) -> AsyncStream<[UInt8]> {
        note("flows \(query.items.map { "\($0.name)=\($0.value)" }.joined(separator: "&"))")
        return AsyncStream { continuation in
            // Chunks need not end where lines end.
            for chunk in ["{\"a\":", "1}\n{\"b\":2}", "\n"] { continuation.yield(Array(chunk.utf8)) }
            continuation.finish()
        }
    }

    func learntNames(_ query: NameQuery) async throws(APIError) -> NameReport {
        note("names \(query.endpoint ?? "-") \(query.name ?? "-") \(query.limit)")
        return NameReport(names: [], total: 0, resolvers: [])
    }

    func dump(_ map: MapName, limit: Int) async throws(APIError) -> MapDump {
        note("dump \(map.rawValue) \(limit)")
        return MapDump(name: map.rawValue, columns: ["a"], rows: [["1"]])
    }

    func detach() async throws(APIError) -> DetachReport {
        note("detach")
        return DetachReport(interfaces: 2)
    }
}

/// Hands requests straight to a router: the whole API but the socket.
struct LoopbackTransport: APITransport {
    let router: ControlRouter
    var peer = APIPeer(userID: 0, groupID: 0, processID: 1)

    func send(_ request: OutgoingRequest) async throws -> APIResponse {
        await router.respond(
            to: APIRequest(
                method: request.method, path: request.path, query: request.query, body: request.body, peer: peer))
    }
}
