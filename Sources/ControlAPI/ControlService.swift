// SPDX-License-Identifier: Apache-2.0

package import Metrics

/// What stands behind the API: the agent.
///
/// Every error it throws is an `APIError`.
package protocol ControlService: AlertService, AttachmentService {
    func status() async throws(APIError) -> StatusReport
    /// The metrics as a text.
    func metrics(_ format: MetricFormat) async throws(APIError) -> [UInt8]
    func endpoints() async throws(APIError) -> [EndpointRecord]
    /// By number or name.
    func endpoint(_ id: String) async throws(APIError) -> EndpointRecord
    /// The endpoint's own audit mode; that of its namespace and of the host stay.
    func setEndpointAudit(_ id: String, _ isOn: Bool) async throws(APIError) -> EndpointRecord
    /// Audit mode of whom a namespace has or will have.
    func setNamespaceAudit(_ name: String, _ isOn: Bool) async throws(APIError) -> StatusReport
    /// Global audit mode.
    func setAudit(_ isOn: Bool) async throws(APIError) -> StatusReport
    func identities() async throws(APIError) -> [IdentityRecord]
    func policies() async throws(APIError) -> [PolicyRecord]
    /// By `kind/namespace/name`, `kind/name` or `name`.
    func policy(_ reference: String) async throws(APIError) -> PolicyRecord
    /// All of the documents come into force, as one revision, or nothing does.
    func applyPolicies(
        _ documents: [PolicyDocument], options: ChangeOptions
    ) async throws(APIError) -> PolicyChangeReport
    func deletePolicy(_ reference: String, options: ChangeOptions) async throws(APIError) -> PolicyChangeReport
    /// The newest revisions of the applied policies, newest first.
    func history(limit: Int) async throws(APIError) -> HistoryReport
    func revision(_ number: Int) async throws(APIError) -> RevisionDetail
    /// Brings the applied policies of a revision back, as a new revision.
    func rollBack(to number: Int, options: ChangeOptions) async throws(APIError) -> PolicyChangeReport
    /// Keeps the revision that waits for it; nil: whichever it is.
    func confirm(_ number: Int?) async throws(APIError) -> RevisionRecord
    func validatePolicies(_ document: PolicyDocument) async throws(APIError) -> ValidationReport
    /// An empty document compiles what is in force.
    func compilePolicies(_ document: PolicyDocument) async throws(APIError) -> CompileReport
    /// `limit`: changed verdicts to name.
    func diffPolicies(_ document: PolicyDocument, limit: Int) async throws(APIError) -> DiffReport
    func planPolicies(_ change: PlannedChange, limit: Int) async throws(APIError) -> PlanReport
    /// What looks ineffective or surprising, in these documents or, without any, in what is in force.
    func lintPolicies(_ request: LintRequest) async throws(APIError) -> LintReport
    /// Rules that no packet met for so many seconds.
    func unusedRules(since seconds: Int64) async throws(APIError) -> RuleUsageReport
    func explain(_ request: ExplainRequest) async throws(APIError) -> ExplainReport
    /// Lines of NDJSON: `FlowRecord`s, and `FlowLoss` when the reader was too slow.
    func flows(_ query: FlowQuery) async throws(APIError) -> AsyncStream<[UInt8]>
    /// What DNS has told workloads.
    func learntNames(_ query: NameQuery) async throws(APIError) -> NameReport
    func dump(_ map: MapName, limit: Int) async throws(APIError) -> MapDump
    func shieldReport() async throws(APIError) -> ShieldReport
    /// Drops what an address or net sends, for a time.
    func block(_ request: ShieldBlockRequest) async throws(APIError) -> ShieldReport
    func unblock(_ request: ShieldBlockRequest) async throws(APIError) -> ShieldReport
    /// Takes what a feed's file says now, however much it shrank.
    func accept(_ request: ShieldFeedRequest) async throws(APIError) -> ShieldReport
    /// Takes every program off; the agent then removes the pins and ends.
    func detach() async throws(APIError) -> DetachReport
}

extension ControlService {
    package func applyPolicies(
        _ document: PolicyDocument, options: ChangeOptions
    ) async throws(APIError) -> PolicyChangeReport {
        try await applyPolicies([document], options: options)
    }
}

/// YAML text with the name its diagnostics should carry.
package struct PolicyDocument: Hashable, Sendable {
    package var name: String
    package var text: [UInt8]

    package init(name: String, text: [UInt8]) {
        self.name = name
        self.text = text
    }
}

/// A change of applied policies to be thought through.
package enum PlannedChange: Hashable, Sendable {
    /// All of them together.
    case apply([PolicyDocument])
    /// By `kind/namespace/name`, `kind/name` or `name`.
    case delete(String)
    /// The revision to bring back.
    case rollBack(Int)
}

/// How a change is to be made.
package struct ChangeOptions: Hashable, Sendable {
    /// Report what would change and change nothing.
    package var isDryRun: Bool
    /// Also if it would cut the host's own access.
    package var isForced: Bool
    /// The session to keep, unless the change is forced.
    package var session: AdministrationSession?
    /// Take the change back unless somebody confirms it within this time.
    package var confirmWithin: Duration?
    /// On this host alone, though it shares policies with a fleet.
    package var isLocal: Bool
    /// Who asks, as the kernel says; not sent by clients.
    package var userID: UInt32?

    /// How long a change may wait to be confirmed, in seconds.
    package static let confirmationSeconds = 1...7 * 86_400

    package init(
        isDryRun: Bool = false, isForced: Bool = false, session: AdministrationSession? = nil,
        confirmWithin: Duration? = nil, isLocal: Bool = false, userID: UInt32? = nil
    ) {
        self.isDryRun = isDryRun
        self.isForced = isForced
        self.session = session
        self.confirmWithin = confirmWithin
        self.isLocal = isLocal
        self.userID = userID
    }
}

/// Answer of `POST /v1/detach`.
package struct DetachReport: Codable, Hashable, Sendable {
    /// Interfaces from which the programs were taken; the pins go when the agent ends.
    package var interfaces: Int
    /// The directory of the pins; nil if there was none.
    package var pins: String?

    package init(interfaces: Int, pins: String? = nil) {
        self.interfaces = interfaces
        self.pins = pins
    }
}

/// Who may do what: root and the members of one group may change; whoever can open the socket may read.
package struct AccessRule: Sendable {
    private let mayChange: @Sendable (APIPeer) -> Bool

    /// `isInGroup` says whether a caller belongs to the configured group, supplementary groups included.
    package init(isInGroup: @escaping @Sendable (APIPeer) -> Bool) {
        mayChange = { $0.userID == 0 || isInGroup($0) }
    }

    func check(_ peer: APIPeer, changes: Bool) throws(APIError) {
        guard changes, !mayChange(peer) else { return }
        throw APIError(
            .forbidden,
            "user \(peer.userID) may read but not change: run as root or as a member of the agent's `apiGroup`")
    }
}
