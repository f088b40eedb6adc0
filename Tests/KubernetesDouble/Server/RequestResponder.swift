// SPDX-License-Identifier: Apache-2.0

/// Decides about a request: who asks, what goes wrong, and only then what the server would say.
struct RequestResponder {
    var server: ServerContext
    var faults: RequestFaults

    func reply(to request: APIRequest, user: DoubleUser?) -> Reply {
        if let answer = faults.answer { return .answer(answer) }
        guard let user else {
            return .answer(Answer(APIError(code: 401, reason: "Unauthorized", message: "Unauthorized")))
        }
        let target = request.target
        if faults.forbids || faults.forbiddenUsers.contains(user.name) {
            return .answer(Answer(Self.forbidden(request, target, user)))
        }
        if faults.expiresContinue, let token = ContinueToken(request.query["continue"] ?? "") {
            return .answer(Answer(token.expired))
        }
        let isWatchList = request.isSet("watch") && request.isSet("sendInitialEvents")
        if isWatchList, let code = faults.watchListRefusal { return .answer(Answer(Self.refusedWatchList(code))) }
        if target?.subresource == "token", request.method == "POST" {
            return .answer(TokenRequest(server: server).answer(to: request))
        }
        let past = faults.lag > 0 ? max(1, server.store.version - faults.lag) : nil
        var reply = APIRouter(store: server.store).reply(to: request, rewindTo: past)
        guard case .watch(var plan) = reply else { return reply }
        if isWatchList, faults.failsWatchList {
            plan.error = .internalError("watch-list is not supported by the storage")
        }
        if let milliseconds = faults.watchMilliseconds {
            plan.timeoutSeconds = min(plan.timeoutSeconds, Double(milliseconds) / 1000)
        }
        plan.firstLines = faults.firstLines
        reply = .watch(plan)
        return reply
    }

    private static func refusedWatchList(_ code: Int) -> APIError {
        let why = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
        return code == 422 ? ListOptions.forbidden("sendInitialEvents", why) : .badRequest(why)
    }

    private static func forbidden(_ request: APIRequest, _ target: ResourceTarget?, _ user: DoubleUser) -> APIError {
        guard let target else {
            return APIError(
                code: 403, reason: "Forbidden",
                message:
                    "forbidden: User \"\(user.name)\" cannot \(request.method.lowercased()) path \"\(request.uri)\"")
        }
        let name = target.name ?? ""
        let place = target.namespace.map { "in the namespace \"\($0)\"" } ?? "at the cluster scope"
        let subresource = target.subresource.map { "/\($0)" } ?? ""
        return APIError(
            code: 403, reason: "Forbidden",
            message:
                "\(target.resource)\(name.isEmpty ? "" : " \"\(name)\"") is forbidden: User \"\(user.name)\" cannot "
                + "\(request.verb(for: target)?.rawValue ?? "") resource \"\(target.resource.plural)\(subresource)\" in API "
                + "group \"\(target.resource.group)\" \(place)",
            details: APIError.details(target.resource, name))
    }
}
