// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// Tokens of service accounts.
///
/// They look like the real ones, and nobody checks their signature.
struct TokenRequest {
    var server: ServerContext

    func answer(to request: APIRequest) -> Answer {
        guard let target = request.target, target.resource == ResourceName(plural: "serviceaccounts"),
            let namespace = target.namespace, let name = target.name
        else { return Answer(APIError.noSuchPath) }
        guard server.store.object(target.resource, namespace: namespace, name: name) != nil else {
            return Answer(APIError.notFound(target.resource, name))
        }
        var object = (try? JSON(parsing: request.body)) ?? [:]
        let seconds = object["spec", "expirationSeconds"]?.integer ?? 3600
        let user = DoubleUser(
            "system:serviceaccount:\(namespace):\(name)",
            groups: ["system:serviceaccounts", "system:serviceaccounts:\(namespace)", "system:authenticated"])
        let claims: JSON = [
            "sub": .string(user.name), "exp": JSON(integerLiteral: Int(Date().timeIntervalSince1970) + seconds),
            "jti": .string(UUID().uuidString.lowercased()),
        ]
        let token = [#"{"alg":"none"}"#, claims.json, "double"].map { Self.base64URL($0) }.joined(separator: ".")
        server.access.issue(token, to: user, seconds: Double(seconds))
        object["kind"] = "TokenRequest"
        object["apiVersion"] = "authentication.k8s.io/v1"
        object["status"] = [
            "token": .string(token), "expirationTimestamp": .string(ObjectDefaults.now(plus: Double(seconds))),
        ]
        return Answer(code: 201, object)
    }

    private static func base64URL(_ text: String) -> String {
        Data(text.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing(
            "=", with: "")
    }
}
