// SPDX-License-Identifier: Apache-2.0

/// Which query items a route takes, and how they are read.
///
/// What is not understood is refused, never passed over: a misspelt `dry-run` would change what it was to try out.
enum QueryRules {
    /// The items of a route; nil: the route checks its own.
    static func items(_ method: APIMethod, _ path: [String]) -> [String]? {
        switch (method, path.first) {
        case (.get, "flows"): nil
        case (.get, "maps"): ["limit"]
        case (.get, "metrics"): ["format"]
        case (.get, "names"): ["endpoint", "name", "limit"]
        case (.get, "rules"): ["since"]
        case (.get, "alerts") where path.count == 1: ["state", "severity", "detector", "incident", "limit"]
        case (.get, "response"): ["all"]
        case (.post, "policies"):
            switch path.last {
            case "policies": ["name", "dry-run", "force", "session", "confirm", "local"]
            case "apply": ["dry-run", "force", "session", "confirm", "local"]
            case "diff": ["name", "limit"]
            case "plan": path.count == 2 ? ["name", "limit", "delete", "revision"] : ["limit"]
            case "lint": []
            default: ["name"]
            }
        case (.delete, "policies"): ["dry-run", "force", "session", "confirm", "local"]
        case (.get, "history"): path.count == 1 ? ["limit"] : []
        case (.post, "history"):
            path.last == "confirm" ? ["revision"] : ["revision", "dry-run", "force", "session", "confirm", "local"]
        case (.post, "config"), (.post, "endpoints"), (.post, "namespaces"): ["mode"]
        default: []
        }
    }

    /// Refuses items that the route does not take, and such that stand twice.
    static func check(_ request: APIRequest, _ path: [String]) throws(APIError) {
        guard let known = items(request.method, path) else { return }
        var seen: Set<String> = []
        for (name, _) in request.query {
            guard known.contains(name) else {
                let others =
                    known.isEmpty ? "this route takes none" : "this route takes \(known.joined(separator: ", "))"
                throw APIError(.badRequest, "no query item \"\(name)\": \(others)")
            }
            guard seen.insert(name).inserted else { throw twice(name) }
        }
    }

    /// Reads `?name`, `?name=true`, `?name=1`, `?name=false` and `?name=0`.
    static func boolean(_ name: String, _ value: String) throws(APIError) -> Bool {
        switch value {
        case "", "true", "1": return true
        case "false", "0": return false
        default: throw APIError(.badRequest, "\(name)=\(value): say true, false, 1 or 0, or nothing for true")
        }
    }

    static func twice(_ name: String) -> APIError { APIError(.badRequest, "\(name) stands twice: say it once") }
}
