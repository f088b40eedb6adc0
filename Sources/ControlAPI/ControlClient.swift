// SPDX-License-Identifier: Apache-2.0

/// Carries requests to an agent: over the socket, or in a test straight to a router.
package protocol APITransport: Sendable {
    /// Sends and waits for the head of the answer. Throws `ControlClientError` if the agent cannot be reached.
    func send(_ request: OutgoingRequest) async throws -> APIResponse
}

/// A request before the transport adds who asks.
package struct OutgoingRequest: Sendable {
    package var method: APIMethod
    package var path: [String]
    package var query: [(name: String, value: String)]
    package var body: [UInt8]

    package init(
        _ method: APIMethod, _ path: [String], query: [(name: String, value: String)] = [], body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
    }
}

/// The agent did not answer, or not in its own language.
package enum ControlClientError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nobody listens; the text names the socket, the cause and the remedy.
    case unreachable(String)
    /// The socket may not be opened by this user, whoever listens; the text as above.
    case forbidden(String)
    case unreadable(String)

    /// True if no agent could be asked; false if one answered.
    package var isWithoutAgent: Bool {
        switch self {
        case .unreachable, .forbidden: true
        case .unreadable: false
        }
    }

    package var description: String {
        switch self {
        case .unreachable(let text), .forbidden(let text): text
        case .unreadable(let text): "the agent's answer cannot be read (\(text)): are both of the same version?"
        }
    }
}

/// The typed client of the API: one method per route.
package struct ControlClient: Sendable {
    private let transport: any APITransport

    package init(transport: any APITransport) { self.transport = transport }

    package func status() async throws -> StatusReport { try await call(.get, ["status"]) }

    package func endpoints() async throws -> [EndpointRecord] { try await call(.get, ["endpoints"]) }

    package func endpoint(_ id: String) async throws -> EndpointRecord { try await call(.get, ["endpoints", id]) }

    package func setEndpointAudit(_ id: String, _ isOn: Bool) async throws -> EndpointRecord {
        try await call(.post, ["endpoints", id, "audit"], query: [("mode", isOn ? "on" : "off")])
    }

    package func setNamespaceAudit(_ name: String, _ isOn: Bool) async throws -> StatusReport {
        try await call(.post, ["namespaces", name, "audit"], query: [("mode", isOn ? "on" : "off")])
    }

    package func setAudit(_ isOn: Bool) async throws -> StatusReport {
        try await call(.post, ["config", "audit"], query: [("mode", isOn ? "on" : "off")])
    }

    package func identities() async throws -> [IdentityRecord] { try await call(.get, ["identities"]) }

    package func policies() async throws -> [PolicyRecord] { try await call(.get, ["policies"]) }

    package func policy(_ reference: String) async throws -> PolicyRecord {
        try await call(.get, ["policies", reference])
    }

    package func applyPolicies(
        _ document: PolicyDocument, options: ChangeOptions
    ) async throws -> PolicyChangeReport {
        try await call(
            .post, ["policies"], query: [("name", document.name)] + items(options), body: document.text)
    }

    /// Several documents as one change: all of them come into force, or none.
    package func applyPolicies(
        _ documents: [PolicyDocument], options: ChangeOptions
    ) async throws -> PolicyChangeReport {
        if documents.count == 1 { return try await applyPolicies(documents[0], options: options) }
        var request = ApplyRequest(documents: [])
        for document in documents {
            guard let text = TextDocument(document) else {
                // JSON cannot carry it. The agent refuses it with the place; it is not even asked to apply it.
                var trial = options
                trial.isDryRun = true
                return try await applyPolicies(document, options: trial)
            }
            request.documents.append(text)
        }
        return try await call(
            .post, ["policies", "apply"], query: items(options), body: APICoding.encode(request))
    }

    package func deletePolicy(_ reference: String, options: ChangeOptions) async throws -> PolicyChangeReport {
        try await call(.delete, ["policies", reference], query: items(options))
    }

    package func history(limit: Int) async throws -> HistoryReport {
        try await call(.get, ["history"], query: [("limit", String(limit))])
    }

    package func revision(_ number: Int) async throws -> RevisionDetail {
        try await call(.get, ["history", String(number)])
    }

    package func rollBack(to number: Int, options: ChangeOptions) async throws -> PolicyChangeReport {
        try await call(.post, ["history", "rollback"], query: [("revision", String(number))] + items(options))
    }

    package func confirm(_ number: Int?) async throws -> RevisionRecord {
        try await call(.post, ["history", "confirm"], query: number.map { [("revision", String($0))] } ?? [])
    }

    package func validatePolicies(_ document: PolicyDocument) async throws -> ValidationReport {
        try await call(.post, ["policies", "validate"], query: [("name", document.name)], body: document.text)
    }

    package func compilePolicies(_ document: PolicyDocument) async throws -> CompileReport {
        try await call(.post, ["policies", "compile"], query: [("name", document.name)], body: document.text)
    }

    package func diffPolicies(_ document: PolicyDocument, limit: Int = PlanReport.limit) async throws -> DiffReport {
        let query = [("name", document.name), ("limit", String(limit))]
        return try await call(.post, ["policies", "diff"], query: query, body: document.text)
    }

    package func planPolicies(_ change: PlannedChange, limit: Int = PlanReport.limit) async throws -> PlanReport {
        let item: (String, String)
        var body: [UInt8] = []
        switch change {
        case .apply(let documents) where documents.count != 1:
            let texts = documents.map { ($0, TextDocument($0)) }
            // JSON cannot carry what is no text. The agent refuses it with the place.
            if let broken = texts.first(where: { $0.1 == nil }) {
                return try await planPolicies(.apply([broken.0]), limit: limit)
            }
            return try await call(
                .post, ["policies", "apply", "plan"], query: [("limit", String(limit))],
                body: APICoding.encode(ApplyRequest(documents: texts.compactMap(\.1))))
        case .apply(let documents): (item, body) = (("name", documents[0].name), documents[0].text)
        case .delete(let reference): item = ("delete", reference)
        case .rollBack(let revision): item = ("revision", String(revision))
        }
        return try await call(.post, ["policies", "plan"], query: [item, ("limit", String(limit))], body: body)
    }

    package func lintPolicies(_ request: LintRequest) async throws -> LintReport {
        try await call(.post, ["policies", "lint"], body: APICoding.encode(request))
    }

    package func unusedRules(since seconds: Int64) async throws -> RuleUsageReport {
        try await call(.get, ["rules", "unused"], query: [("since", String(seconds))])
    }

    package func explain(_ request: ExplainRequest) async throws -> ExplainReport {
        try await call(.post, ["explain"], body: APICoding.encode(request))
    }

    package func learntNames(_ query: NameQuery) async throws -> NameReport {
        var items: [(name: String, value: String)] = [("limit", String(query.limit))]
        if let endpoint = query.endpoint { items.append(("endpoint", endpoint)) }
        if let name = query.name { items.append(("name", name)) }
        return try await call(.get, ["names"], query: items)
    }

    package func dump(_ map: MapName, limit: Int) async throws -> MapDump {
        try await call(.get, ["maps", map.rawValue], query: [("limit", String(limit))])
    }

    package func shieldReport() async throws -> ShieldReport { try await call(.get, ["shield"]) }

    package func block(_ request: ShieldBlockRequest) async throws -> ShieldReport {
        try await call(.post, ["shield", "block"], body: APICoding.encode(request))
    }

    package func unblock(_ request: ShieldBlockRequest) async throws -> ShieldReport {
        try await call(.post, ["shield", "unblock"], body: APICoding.encode(request))
    }

    package func accept(_ request: ShieldFeedRequest) async throws -> ShieldReport {
        try await call(.post, ["shield", "accept"], body: APICoding.encode(request))
    }

    package func detach() async throws -> DetachReport { try await call(.post, ["detach"]) }

    /// Hands over each line of the flow stream until it ends or `body` returns false.
    package func flows(_ query: FlowQuery, _ body: ([UInt8]) throws -> Bool) async throws {
        try await lines(["flows"], query: query.items, body)
    }

    /// Hands over each line of a stream until it ends or `body` returns false.
    func lines(
        _ path: [String], query: [(name: String, value: String)] = [], _ body: ([UInt8]) throws -> Bool
    ) async throws {
        let response = try await transport.send(OutgoingRequest(.get, ["v1"] + path, query: query))
        try await check(response)
        var splitter = LineSplitter()
        switch response.body {
        case .bytes(let bytes):
            for line in splitter.push(bytes) where try !body(line) { return }
        case .stream(let chunks):
            for await chunk in chunks {
                for line in splitter.push(chunk) where try !body(line) { return }
            }
        }
    }
}

extension ControlClient {
    private func items(_ options: ChangeOptions) -> [(name: String, value: String)] {
        var items: [(name: String, value: String)] = []
        if options.isDryRun { items.append(("dry-run", "true")) }
        if options.isForced { items.append(("force", "true")) }
        if options.isLocal { items.append(("local", "true")) }
        if let session = options.session { items.append(("session", session.item)) }
        if let time = options.confirmWithin { items.append(("confirm", String(time.components.seconds))) }
        return items
    }

    func call<Value: Decodable>(
        _ method: APIMethod, _ path: [String], query: [(name: String, value: String)] = [], body: [UInt8] = []
    ) async throws -> Value {
        // It would name another route.
        guard !path.contains("") else { throw APIError(.badRequest, "an empty name names nothing") }
        let response = try await transport.send(OutgoingRequest(method, ["v1"] + path, query: query, body: body))
        try await check(response)
        do {
            return try APICoding.decode(Value.self, from: await bytes(response))
        } catch {
            throw ControlClientError.unreadable("\(error)")
        }
    }

    /// The bytes of an answer that is no JSON; the path is whole.
    func read(_ path: [String], query: [(name: String, value: String)] = []) async throws -> [UInt8] {
        let response = try await transport.send(OutgoingRequest(.get, path, query: query))
        try await check(response)
        return await bytes(response)
    }

    /// Throws the error an unsuccessful answer carries.
    private func check(_ response: APIResponse) async throws {
        guard response.status != 200 else { return }
        let text = await bytes(response)
        if let error = try? APICoding.decode(APIError.self, from: text) { throw error }
        throw ControlClientError.unreadable("status \(response.status)")
    }

    private func bytes(_ response: APIResponse) async -> [UInt8] {
        switch response.body {
        case .bytes(let bytes): return bytes
        case .stream(let chunks):
            var all: [UInt8] = []
            for await chunk in chunks { all += chunk }
            return all
        }
    }
}

/// Cuts a byte stream into lines, whatever the chunks are.
package struct LineSplitter: Sendable {
    private var pending: [UInt8] = []

    package init() {}

    /// The lines that `chunk` completes, without their newlines.
    package mutating func push(_ chunk: [UInt8]) -> [[UInt8]] {
        pending += chunk
        var lines: [[UInt8]] = []
        var start = pending.startIndex
        while let end = pending[start...].firstIndex(of: 0x0a) {
            lines.append(Array(pending[start..<end]))
            start = end + 1
        }
        pending.removeSubrange(..<start)
        return lines
    }
}
