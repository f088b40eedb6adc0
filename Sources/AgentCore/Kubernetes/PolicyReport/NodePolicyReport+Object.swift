// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient

/// Why a report cannot be read.
struct UnreadableReport: Error, CustomStringConvertible {
    var description: String
}

extension NodePolicyReport {
    /// Reads an object of the API.
    init(_ object: RawObject) throws {
        let view = try object.view
        guard let status = view["status"] else { throw UnreadableReport(description: "it has no status") }
        let version = status["version"]?.integer
        guard version == Self.schemaVersion else {
            throw UnreadableReport(
                description: "it is of version \(version.map(String.init) ?? "none"), this controller reads version "
                    + "\(Self.schemaVersion): update whichever is older")
        }
        self.init()
        problem = status["problem"]?.string ?? ""
        isAudit = status["audit"]?.boolean ?? false
        omitted = status["omitted"]?.integer ?? 0
        for entry in status["kinds"]?.elements ?? [] {
            guard let kind = entry["kind"]?.string else { continue }
            if let reason = entry["problem"]?.string, !reason.isEmpty { problems[kind] = reason }
            guard let text = entry["digest"]?.string, let sum = UInt64(text, radix: 16) else { continue }
            let count = entry["policies"]?.integer ?? 0
            if count > 0 { digests[kind] = DocumentDigest(sum: sum, count: count) }
        }
        for entry in status["exceptions"]?.elements ?? [] {
            guard let kind = entry["kind"]?.string, let name = entry["name"]?.string,
                let state = entry["state"]?.string.flatMap(Exception.State.init)
            else { continue }
            let key = ObjectKey(namespace: entry["namespace"]?.string ?? "", name: name)
            exceptions["\(kind)/\(key)"] = Exception(
                state, generation: entry["generation"]?.integer ?? 0, message: entry["message"]?.string ?? "")
        }
    }

    /// As it is written.
    ///
    /// `time`: RFC 3339; with it no two are the same, so that the server tells others of each.
    func object(time: String) -> JSONValue {
        let kinds = Set(digests.keys).union(problems.keys).sorted().map { kind -> JSONValue in
            let digest = digests[kind] ?? DocumentDigest()
            let text = String(digest.sum, radix: 16)
            var entry: JSONValue = [
                "kind": .string(kind), "policies": .integer(digest.count),
                "digest": .string(String(repeating: "0", count: 16 - text.utf8.count) + text),
            ]
            if let problem = problems[kind] { entry["problem"] = .string(problem) }
            return entry
        }
        let exceptions = exceptions.sorted { $0.key < $1.key }.map { key, exception -> JSONValue in
            let parts = key.split(separator: "/").map(String.init)
            return [
                "kind": .string(parts.first ?? ""), "namespace": .string(parts.count > 2 ? parts[1] : ""),
                "name": .string(parts.last ?? ""), "state": .string(exception.state.rawValue),
                "generation": .integer(exception.generation), "message": .string(exception.message),
            ]
        }
        var status: JSONValue = [
            "version": .integer(Self.schemaVersion), "observedAt": .string(time), "audit": .boolean(isAudit),
            "policies": .integer(digests.values.reduce(0) { $0 + $1.count }),
            "notInForce": .integer(exceptions.count + omitted),
            "kinds": .list(kinds), "exceptions": .list(exceptions), "omitted": .integer(omitted),
        ]
        if !problem.isEmpty { status["problem"] = .string(problem) }
        return ["status": status]
    }
}
