// SPDX-License-Identifier: Apache-2.0

/// A failure as the real server tells it: a `Status` object and its HTTP code.
package struct APIError: Error, Sendable, Equatable {
    /// HTTP status code, also in the object.
    package var code: Int
    /// `Status.reason`, as "NotFound".
    package var reason: String
    package var message: String
    /// `Status.details`, as it goes out.
    package var details: JSONObject
    /// Seconds for `Retry-After`, if the client shall be told.
    package var retryAfterSeconds: Int?
    /// `metadata.continue`: how to go on without consistency.
    var continueToken: String?

    package init(
        code: Int, reason: String, message: String, details: JSONObject = JSONObject(), retryAfterSeconds: Int? = nil
    ) {
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.retryAfterSeconds = retryAfterSeconds
        if let retryAfterSeconds { self.details["retryAfterSeconds"] = JSON(integerLiteral: retryAfterSeconds) }
    }

    /// The `Status` object.
    package var status: JSON {
        var status: JSON = [
            "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "message": .string(message),
            "reason": .string(reason),
        ]
        if let continueToken { status["metadata", "continue"] = .string(continueToken) }
        if !details.isEmpty { status["details"] = .object(details) }
        status["code"] = JSON(integerLiteral: code)
        return status
    }

    static func badRequest(_ message: String) -> APIError {
        APIError(code: 400, reason: "BadRequest", message: message)
    }

    static func internalError(_ message: String) -> APIError {
        APIError(
            code: 500, reason: "InternalError", message: "Internal error occurred: \(message)",
            details: JSONObject([("causes", [["message": .string(message)]])]))
    }

    /// A path that no resource has.
    static let noSuchPath = APIError(
        code: 404, reason: "NotFound", message: "the server could not find the requested resource",
        details: JSONObject())

    static func notFound(_ resource: ResourceName, _ name: String) -> APIError {
        APIError(
            code: 404, reason: "NotFound", message: "\(resource) \"\(name)\" not found",
            details: details(resource, name))
    }

    static func alreadyExists(_ resource: ResourceName, _ name: String) -> APIError {
        APIError(
            code: 409, reason: "AlreadyExists", message: "\(resource) \"\(name)\" already exists",
            details: details(resource, name))
    }

    static func conflict(_ resource: ResourceName, _ name: String, _ why: String? = nil) -> APIError {
        let modified = "the object has been modified; please apply your changes to the latest version and try again"
        return APIError(
            code: 409, reason: "Conflict",
            message: "Operation cannot be fulfilled on \(resource) \"\(name)\": \(why ?? modified)",
            details: details(resource, name))
    }

    /// 422 with one cause per field.
    static func invalid(
        _ definition: ResourceDefinition, _ name: String, causes: [(field: String, reason: String, message: String)]
    ) -> APIError {
        let group = definition.name.group
        let qualified = group.isEmpty ? definition.kind : "\(definition.kind).\(group)"
        let told = causes.map { "\($0.field): \($0.message)" }
        let list = told.count == 1 ? told[0] : "[\(told.joined(separator: ", "))]"
        var details = JSONObject([("name", .string(name))])
        if !group.isEmpty { details["group"] = .string(group) }
        details["kind"] = .string(definition.kind)
        details["causes"] = .array(
            causes.map { ["reason": .string($0.reason), "message": .string($0.message), "field": .string($0.field)] })
        return APIError(
            code: 422, reason: "Invalid", message: "\(qualified) \"\(name)\" is invalid: \(list)", details: details)
    }

    /// 410: what was asked for has been compacted away.
    static func expired(_ message: String) -> APIError { APIError(code: 410, reason: "Expired", message: message) }

    /// 504: the version has not been reached.
    static func tooLargeVersion(_ asked: Int, current: Int) -> APIError {
        let cause: JSON = ["reason": "ResourceVersionTooLarge", "message": "Too large resource version"]
        return APIError(
            code: 504, reason: "Timeout",
            message: "Timeout: Too large resource version: \(asked), current: \(current)",
            details: JSONObject([("causes", [cause])]), retryAfterSeconds: 1)
    }

    static func details(_ resource: ResourceName, _ name: String) -> JSONObject {
        var details = JSONObject()
        if !name.isEmpty { details["name"] = .string(name) }
        if !resource.group.isEmpty { details["group"] = .string(resource.group) }
        details["kind"] = .string(resource.plural)
        return details
    }
}
