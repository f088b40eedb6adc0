// SPDX-License-Identifier: Apache-2.0

import Metrics

/// Turns requests into calls of a `ControlService` and its answers into JSON.
package struct ControlRouter: Sendable {
    let service: any ControlService
    private let access: AccessRule

    package init(service: any ControlService, access: AccessRule) {
        self.service = service
        self.access = access
    }

    /// Answers one request; errors become an `APIError` in JSON with its status.
    package func respond(to request: APIRequest) async -> APIResponse {
        do {
            return try await route(request)
        } catch {
            return refusal(error)
        }
    }

    func refusal(_ error: any Error) -> APIResponse {
        let failure = error as? APIError ?? APIError(.badRequest, "\(error)")
        let body = (try? APICoding.encode(failure)) ?? []
        return APIResponse(status: failure.status, contentType: "application/json", body: .bytes(body))
    }

    private func route(_ request: APIRequest) async throws -> APIResponse {
        if request.path == ["metrics"], request.method == .get { return try await metrics(request) }
        guard request.path.first == "v1" else { throw notFound(request) }
        let path = Array(request.path.dropFirst())
        // Validation, compilation and explanation use POST for their bodies but change nothing.
        let readOnlyPosts: [[String]] = [
            ["policies", "validate"], ["policies", "compile"], ["policies", "diff"], ["policies", "plan"],
            ["policies", "apply", "plan"], ["policies", "lint"], ["explain"],
        ]
        let changes = request.method != .get && !readOnlyPosts.contains(path)
        try access.check(request.peer, changes: changes)
        try QueryRules.check(request, path)
        if path.first == "alerts" || path.first == "response" {
            guard let answer = try await alertRoute(path, request) else { throw notFound(request) }
            return answer
        }
        if path.first == "attachments" {
            guard let answer = try await attachmentRoute(path, request) else { throw notFound(request) }
            return answer
        }
        switch request.method {
        case .get: return try await get(path, request)
        case .post: return try await post(path, request)
        case .delete: return try await delete(path, request)
        }
    }

    /// Beside the versions of the API: the form is Prometheus', and scrapers ask for this path.
    private func metrics(_ request: APIRequest) async throws -> APIResponse {
        try access.check(request.peer, changes: false)
        try QueryRules.check(request, ["metrics"])
        let format: MetricFormat
        switch request.value("format") {
        case "prometheus": format = .prometheus
        case "openmetrics": format = .openMetrics
        case nil: format = MetricFormat(accept: request.accept)
        case let name?: throw APIError(.badRequest, "no format \"\(name)\": say prometheus or openmetrics")
        }
        return APIResponse(
            status: 200, contentType: format.contentType, body: .bytes(try await service.metrics(format)))
    }

    private func get(_ path: [String], _ request: APIRequest) async throws -> APIResponse {
        switch path.first {
        case "status" where path.count == 1: return try json(await service.status())
        case "endpoints" where path.count == 1: return try json(await service.endpoints())
        case "endpoints": return try json(await service.endpoint(rest(path)))
        case "identities" where path.count == 1: return try json(await service.identities())
        case "policies" where path.count == 1: return try json(await service.policies())
        case "policies": return try json(await service.policy(rest(path)))
        case "rules" where path == ["rules", "unused"]:
            return try json(await service.unusedRules(since: Int64(try number(request, "since") ?? 30 * 86_400)))
        case "history" where path.count == 1:
            return try json(await service.history(limit: try number(request, "limit") ?? 20))
        case "history" where path.count == 2: return try json(await service.revision(try revision(path[1])))
        case "flows" where path.count == 1:
            let lines = try await service.flows(try FlowQuery(request))
            return APIResponse(status: 200, contentType: "application/x-ndjson", body: .stream(lines))
        case "names" where path.count == 1:
            let query = NameQuery(
                endpoint: request.value("endpoint"), name: request.value("name"),
                limit: try number(request, "limit") ?? 10_000)
            return try json(await service.learntNames(query))
        case "shield" where path.count == 1: return try json(await service.shieldReport())
        case "maps" where path.count == 2:
            guard let map = MapName(rawValue: path[1]) else {
                let names = MapName.allCases.map(\.rawValue).joined(separator: ", ")
                throw APIError(.notFound, "no map \"\(path[1])\": one of \(names)")
            }
            return try json(await service.dump(map, limit: try number(request, "limit") ?? 10_000))
        default: throw notFound(request)
        }
    }

    private func post(_ path: [String], _ request: APIRequest) async throws -> APIResponse {
        switch path {
        case ["policies"]: return try json(await service.applyPolicies(document(request), options: options(request)))
        case ["policies", "apply"]:
            return try json(await service.applyPolicies(documents(request), options: options(request)))
        case ["policies", "apply", "plan"]:
            let limit = try number(request, "limit") ?? PlanReport.limit
            return try json(await service.planPolicies(.apply(documents(request)), limit: limit))
        case ["policies", "validate"]: return try json(await service.validatePolicies(document(request)))
        case ["policies", "compile"]: return try json(await service.compilePolicies(document(request)))
        case ["policies", "diff"]:
            let limit = try number(request, "limit") ?? PlanReport.limit
            return try json(await service.diffPolicies(document(request), limit: limit))
        case ["policies", "plan"]:
            let limit = try number(request, "limit") ?? PlanReport.limit
            return try json(await service.planPolicies(plannedChange(request), limit: limit))
        case ["policies", "lint"]: return try json(await service.lintPolicies(try body(LintRequest.self, request)))
        case ["history", "confirm"]: return try json(await service.confirm(try number(request, "revision")))
        case ["history", "rollback"]:
            let target = try revision(request.value("revision") ?? "")
            return try json(await service.rollBack(to: target, options: options(request)))
        case ["explain"]: return try json(await service.explain(try body(ExplainRequest.self, request)))
        case ["shield", "block"]: return try json(await service.block(try body(ShieldBlockRequest.self, request)))
        case ["shield", "unblock"]: return try json(await service.unblock(try body(ShieldBlockRequest.self, request)))
        case ["shield", "accept"]: return try json(await service.accept(try body(ShieldFeedRequest.self, request)))
        case ["detach"]: return try json(await service.detach())
        case ["config", "audit"]: return try json(await service.setAudit(try onOrOff(request)))
        case let path where path.count == 3 && path[0] == "namespaces" && path[2] == "audit":
            return try json(await service.setNamespaceAudit(path[1], try onOrOff(request)))
        default:
            guard path.count >= 3, path[0] == "endpoints", path.last == "audit" else { throw notFound(request) }
            return try json(await service.setEndpointAudit(rest(path.dropLast()), try onOrOff(request)))
        }
    }

    private func delete(_ path: [String], _ request: APIRequest) async throws -> APIResponse {
        guard path.count >= 2, path[0] == "policies" else { throw notFound(request) }
        return try json(await service.deletePolicy(rest(path), options: options(request)))
    }
}

extension ControlRouter {
    /// What follows the first segment: a name may itself hold slashes.
    private func rest(_ path: some Sequence<String>) -> String { path.dropFirst().joined(separator: "/") }

    func json(_ value: some Encodable) throws -> APIResponse {
        APIResponse(status: 200, contentType: "application/json", body: .bytes(try APICoding.encode(value)))
    }

    private func notFound(_ request: APIRequest) -> APIError {
        APIError(
            .notFound,
            "no route \(request.method.rawValue) /\(request.path.joined(separator: "/")): see docs/reference/api.md")
    }

    private func options(_ request: APIRequest) throws(APIError) -> ChangeOptions {
        ChangeOptions(
            isDryRun: try request.flag("dry-run"), isForced: try request.flag("force"),
            session: request.value("session").flatMap(AdministrationSession.init(item:)),
            confirmWithin: try confirmation(request), isLocal: try request.flag("local"), userID: request.peer.userID)
    }

    private func confirmation(_ request: APIRequest) throws(APIError) -> Duration? {
        guard let seconds = try number(request, "confirm") else { return nil }
        guard ChangeOptions.confirmationSeconds.contains(seconds) else {
            throw APIError(.badRequest, "confirm=\(seconds): say 1 second to 7 days, in seconds")
        }
        return .seconds(seconds)
    }

    private func revision(_ text: String) throws(APIError) -> Int {
        guard let number = Int(text), number >= 0 else {
            throw APIError(.badRequest, "\"\(text)\" is not the number of a revision")
        }
        return number
    }

    private func plannedChange(_ request: APIRequest) throws(APIError) -> PlannedChange {
        let (reference, revision) = (request.value("delete"), request.value("revision"))
        guard reference == nil || revision == nil, reference == nil && revision == nil || request.body.isEmpty else {
            throw APIError(.badRequest, "a plan is of one change: a document, `delete` or `revision`")
        }
        if let reference { return .delete(reference) }
        if let revision { return .rollBack(try self.revision(revision)) }
        return .apply([document(request)])
    }

    private func document(_ request: APIRequest) -> PolicyDocument {
        PolicyDocument(name: request.value("name") ?? "<request>", text: request.body)
    }

    /// Several that belong together.
    private func documents(_ request: APIRequest) throws(APIError) -> [PolicyDocument] {
        let documents = try body(ApplyRequest.self, request).documents.map(\.document)
        guard !documents.isEmpty else { throw APIError(.badRequest, "no document: there is nothing to apply") }
        return documents
    }

    func body<Value: Decodable>(_ type: Value.Type, _ request: APIRequest) throws(APIError) -> Value {
        do {
            return try APICoding.decode(type, from: request.body)
        } catch {
            throw APIError(.badRequest, "the body is not the JSON this route takes: see docs/reference/api.md")
        }
    }

    private func onOrOff(_ request: APIRequest) throws(APIError) -> Bool {
        switch request.value("mode") {
        case "on": return true
        case "off": return false
        default: throw APIError(.badRequest, "say ?mode=on or ?mode=off")
        }
    }

    private func number(_ request: APIRequest, _ name: String) throws(APIError) -> Int? {
        guard let text = request.value(name) else { return nil }
        guard let value = Int(text), value >= 0 else {
            throw APIError(.badRequest, "\(name)=\(text): not a number from 0")
        }
        return value
    }
}
