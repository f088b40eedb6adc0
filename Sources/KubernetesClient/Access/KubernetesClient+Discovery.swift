// SPDX-License-Identifier: Apache-2.0

extension KubernetesClient {
    /// Whether the server is certain not to have a kind.
    ///
    /// A 404 alone may come from a proxy, or from a server that only begins: taken at its word it would be read as a cluster
    /// without policies.
    package func lacks(_ kind: ResourceKind) async -> Bool { await presence(of: kind) == false }

    /// Whether the server has a kind; nil: it does not say.
    ///
    /// Answers may be as old as `Patience.absence`, so that many kinds cost few requests.
    package func presence(of kind: ResourceKind) async -> Bool? {
        guard !kind.group.isEmpty else { return await hasMember(kind, "/api/\(kind.version)") }
        guard case .success(let groups) = await discover("/apis"), groups["kind"]?.string == "APIGroupList" else {
            return nil
        }
        let group = groups["groups"]?.elements.first { $0["name"]?.string == kind.group }
        let versions = (group?["versions"]?.elements ?? []).compactMap { $0["version"]?.string }
        guard versions.contains(kind.version) else { return false }
        return await hasMember(kind, "/apis/\(kind.group)/\(kind.version)")
    }

    private func hasMember(_ kind: ResourceKind, _ path: String) async -> Bool? {
        guard case .success(let list) = await discover(path), list["kind"]?.string == "APIResourceList" else {
            return nil
        }
        return (list["resources"]?.elements ?? []).contains { $0["name"]?.string == kind.plural }
    }

    /// What the server says of its kinds; asked once by all who want to know.
    private func discover(_ path: String) async -> Result<JSONView, KubernetesError> {
        if let known = discovered[path], ContinuousClock.now - known.askedAt < patience.absence {
            return await known.answer.value
        }
        let answer = Task { await self.ask(path) }
        discovered[path] = (answer, .now)
        let result = await answer.value
        // Failures are nothing to remember.
        if case .failure = result { discovered[path] = nil }
        return result
    }

    private func ask(_ path: String) async -> Result<JSONView, KubernetesError> {
        do throws(KubernetesError) {
            let bytes = try await send("GET", path)
            guard let view = try? JSONView(bytes) else {
                throw KubernetesError(.malformed, "GET \(path): the answer is not JSON")
            }
            return .success(view)
        } catch {
            return .failure(error)
        }
    }
}
