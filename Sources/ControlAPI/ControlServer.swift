// SPDX-License-Identifier: Apache-2.0

package import LocalHTTP

extension ControlRouter {
    /// Answers a request that came over the socket.
    package func respond(to request: LocalRequest) async -> LocalResponse {
        guard let method = APIMethod(rawValue: request.method) else {
            return .text(405, "use GET, POST or DELETE")
        }
        let peer = APIPeer(
            userID: request.peer.userID, groupID: request.peer.groupID, processID: request.peer.processID)
        let response: APIResponse
        do {
            let (path, query) = try PercentCoding.split(target: request.target)
            response = await respond(
                to: APIRequest(
                    method: method, path: path, query: query, body: request.body, peer: peer,
                    accept: request.header("Accept") ?? ""))
        } catch {
            response = refusal(error)
        }
        let body: LocalResponse.Body =
            switch response.body {
            case .bytes(let bytes): .bytes(response.contentType == "application/json" ? bytes + [0x0a] : bytes)
            case .stream(let stream): .stream(stream)
            }
        return LocalResponse(status: response.status, contentType: response.contentType, body: body)
    }
}
